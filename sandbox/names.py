"""What the people of a rehearsal are called. Frequent names, put together by lot: nobody in particular."""

WOMEN = (
    "Camille", "Marie", "Léa", "Manon", "Chloé", "Emma", "Inès", "Jade", "Louise", "Alice", "Lina",
    "Rose", "Anna", "Mila", "Ambre", "Julia", "Zoé", "Agathe", "Sarah", "Nadia", "Fatima", "Aïcha",
    "Samira", "Leïla", "Yasmine", "Noémie", "Élodie", "Émilie", "Aurélie", "Céline", "Delphine",
    "Sandrine", "Nathalie", "Sylvie", "Valérie", "Isabelle", "Christine", "Françoise", "Monique",
    "Jacqueline", "Catherine", "Martine", "Anne", "Brigitte", "Véronique", "Hélène", "Éléonore", "Maëlle",
    "Solène", "Gaëlle", "Anaïs", "Clémence", "Margaux", "Océane", "Pauline", "Justine", "Mathilde",
    "Marie-Claude", "Anne-Sophie",
)  # fmt: skip
MEN = (
    "Gabriel", "Léo", "Raphaël", "Louis", "Arthur", "Jules", "Adam", "Lucas", "Hugo", "Maël", "Noah",
    "Paul", "Nathan", "Théo", "Ethan", "Sacha", "Tom", "Mohamed", "Karim", "Mehdi", "Rachid", "Youssef",
    "Ibrahim", "Mamadou", "Antoine", "Thomas", "Nicolas", "Julien", "Sébastien", "Christophe", "Frédéric",
    "Stéphane", "Philippe", "Michel", "Pierre", "Jean", "André", "René", "Bernard", "Alain", "Gérard",
    "Jacques", "Daniel", "François", "Henri", "Jérôme", "Loïc", "Gaël", "Benoît", "Cédric", "Grégory",
    "Guillaume", "Maxime", "Quentin", "Rémi", "Valentin", "Xavier", "Yann", "Jean-Baptiste",
    "Pierre-Yves",
)  # fmt: skip
FAMILIES = (
    "Martin", "Bernard", "Thomas", "Petit", "Robert", "Richard", "Durand", "Dubois", "Moreau", "Laurent",
    "Simon", "Michel", "Lefebvre", "Leroy", "Roux", "David", "Bertrand", "Morel", "Fournier", "Girard",
    "Bonnet", "Dupont", "Lambert", "Fontaine", "Rousseau", "Vincent", "Muller", "Lefèvre", "Faure",
    "André", "Mercier", "Blanc", "Guérin", "Boyer", "Garnier", "Chevalier", "François", "Legrand",
    "Gauthier", "Garcia", "Perrin", "Robin", "Clément", "Morin", "Nicolas", "Henry", "Roussel", "Mathieu",
    "Gautier", "Masson", "Marchand", "Duval", "Denis", "Dumont", "Marie", "Lemaire", "Noël", "Meyer",
    "Dufour", "Meunier", "Brun", "Blanchard", "Giraud", "Joly", "Rivière", "Lucas", "Brunet", "Gaillard",
    "Barbier", "Arnaud", "Martinez", "Gérard", "Roche", "Renard", "Schmitt", "Roy", "Leroux", "Colin",
    "Vidal", "Caron", "Picard", "Roger", "Fabre", "Aubert", "Lemoine", "Renaud", "Dumas", "Lacroix",
    "Olivier", "Philippe", "Bourgeois", "Pierre", "Benoît", "Rey", "Leclerc", "Payet", "Rolland",
    "Leclercq", "Guillaume", "Lecomte", "Benali", "Diallo", "Traoré", "Nguyen", "Haddad", "Cohen",
    "Fernandez", "Lopez", "Lévêque", "Béranger", "D'Angelo", "N'Diaye",
)  # fmt: skip
PROFESSIONS = (
    "enseignante", "infirmier", "artisan", "agricultrice", "ingénieure", "retraité", "étudiante",
    "commerçant", "fonctionnaire", "aide-soignante", "avocate", "chauffeur", "cadre", "ouvrier",
    "boulanger", "architecte", "comptable", "médecin", "journaliste", "éducatrice",
)  # fmt: skip
TAGS = (
    *("bénévole", "donateur", "élu local", "référent", "porte-à-porte", "réunion publique", "newsletter"),
    *("jeunes", "écologie", "santé", "école", "Europe", "pétition 2025"),
)
LEVELS = ("Adhérent", "Sympathisant", "Donateur", "Ancien adhérent")
SOURCES = (
    "formulaire du site",
    "bulletin papier",
    "réunion publique",
    "stand du marché",
    "pétition en ligne",
)
"""Where a consent was given."""
