#!/usr/bin/perl
# Reads a message on standard input, and as only argument a JSON object of key records by name.
# Writes a JSON list with one object a DKIM signature, from the top of the message to its end.
use strict;
use warnings;

use JSON::PP qw(decode_json encode_json);
use Mail::DKIM::Verifier;
use Net::DNS::RR;

my $keys = decode_json($ARGV[0]);

{
    no warnings 'redefine';
    # The only door through which Mail::DKIM asks the DNS, for keys and for policies.
    # A TXT string holds at most 255 bytes; a key is several of them, read as one.
    *Mail::DKIM::DNS::query = sub {
        my ($name, $type) = @_;
        my $text = $type eq 'TXT' ? $keys->{$name} : undef;
        if (!defined $text) { $@ = 'NXDOMAIN'; return }
        return Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [unpack '(a255)*', $text]);
    };
}

binmode STDIN;
my $verifier = Mail::DKIM::Verifier->new;
$verifier->PRINT(do { local $/; <STDIN> });
$verifier->CLOSE;

my @opinions = map {
    {
        domain   => $_->domain // '',
        selector => $_->selector // '',
        result   => $_->result // '',
        detail   => $_->result_detail // '',
    }
} $verifier->signatures;
print encode_json(\@opinions);
