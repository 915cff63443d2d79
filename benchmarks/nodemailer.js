// Sends the messages of task.json through nodemailer's pool and prints the rate as JSON.
const nodemailer = require("nodemailer");
const task = require("./task.json");

const transport = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: task.port,
  secure: false,
  ignoreTLS: true,
  maxConnections: 10,
  maxMessages: Infinity,
  dkim: { domainName: task.domain, keySelector: "rsa", privateKey: task.key },
});

function letter(number) {
  return {
    envelope: { from: `b+${number}@retours.${task.domain}`, to: `n${number}@${task.recipients}` },
    from: `L’Association <lettre@${task.domain}>`,
    to: `n${number}@${task.recipients}`,
    subject: `Camille${number}, la lettre de printemps`,
    text: task.text,
    html: task.html.replaceAll("{{ first_name }}", `Camille${number}`),
    headers: {
      "List-Unsubscribe": `<https://tocsin.example/u/${number}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      "Feedback-ID": "1:1:email:tocsin",
    },
  };
}

async function send(first, count) {
  let next = first;
  const sender = async () => {
    while (next < first + count) {
      await transport.sendMail(letter(next++));
    }
  };
  await Promise.all(Array.from({ length: 20 }, sender));
}

(async () => {
  await send(0, 100);
  const begun = process.hrtime.bigint();
  await send(100, task.count);
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  process.stdout.write(JSON.stringify({ rate: task.count / seconds }) + "\n");
  transport.close();
})();
