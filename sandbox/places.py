"""Communes of every French region, with their postcodes: where the people of a rehearsal live.

Two regions have many, Provence-Alpes-Côte d'Azur and Auvergne-Rhône-Alpes, so that a rehearsal with
regional senders has somebody to write to. Weights follow the sizes of the towns, roughly.
"""

from dataclasses import dataclass

# département; commune; postcodes; weight
_TABLE = """
13; Marseille; 13001 13003 13005 13008 13009 13012 13014 13015; 90
13; Aix-en-Provence; 13090 13100; 30
13; Arles; 13200; 12
13; Martigues; 13500; 10
13; Aubagne; 13400; 10
13; Salon-de-Provence; 13300; 10
13; Istres; 13800; 8
13; La Ciotat; 13600; 8
13; Vitrolles; 13127; 7
13; Gardanne; 13120; 5
13; Tarascon; 13150; 4
13; Cassis; 13260; 3
06; Nice; 06000 06100 06200 06300; 50
06; Antibes; 06160 06600; 14
06; Cannes; 06150 06400; 14
06; Grasse; 06130 06520; 10
06; Cagnes-sur-Mer; 06800; 9
06; Menton; 06500; 6
06; Vence; 06140; 4
06; Valbonne; 06560; 3
83; Toulon; 83000 83100 83200; 30
83; La Seyne-sur-Mer; 83500; 12
83; Hyères; 83400; 11
83; Fréjus; 83600; 10
83; Draguignan; 83300; 8
83; Saint-Raphaël; 83700; 7
83; Brignoles; 83170; 4
83; Saint-Tropez; 83990; 2
84; Avignon; 84000 84140; 18
84; Carpentras; 84200; 6
84; Orange; 84100; 6
84; Cavaillon; 84300; 5
84; Apt; 84400; 3
84; Vaison-la-Romaine; 84110; 2
04; Manosque; 04100; 5
04; Digne-les-Bains; 04000; 4
04; Sisteron; 04200; 2
04; Forcalquier; 04300; 2
05; Gap; 05000; 8
05; Briançon; 05100; 3
05; Embrun; 05200; 2
69; Lyon; 69001 69002 69003 69004 69005 69006 69007 69008 69009; 70
69; Villeurbanne; 69100; 24
69; Vénissieux; 69200; 10
69; Caluire-et-Cuire; 69300; 7
69; Saint-Priest; 69800; 7
69; Vaulx-en-Velin; 69120; 7
69; Villefranche-sur-Saône; 69400; 6
69; Oullins-Pierre-Bénite; 69600 69310; 6
69; Tarare; 69170; 2
38; Grenoble; 38000 38100; 26
38; Saint-Martin-d'Hères; 38400; 6
38; Échirolles; 38130; 6
38; Vienne; 38200; 5
38; Bourgoin-Jallieu; 38300; 5
38; Voiron; 38500; 4
42; Saint-Étienne; 42000 42100; 26
42; Roanne; 42300; 6
42; Saint-Chamond; 42400; 6
42; Montbrison; 42600; 3
63; Clermont-Ferrand; 63000 63100; 22
63; Riom; 63200; 4
63; Issoire; 63500; 3
63; Thiers; 63300; 2
74; Annecy; 74000 74940 74960; 20
74; Annemasse; 74100; 6
74; Thonon-les-Bains; 74200; 6
74; Cluses; 74300; 3
74; Chamonix-Mont-Blanc; 74400; 2
73; Chambéry; 73000; 9
73; Aix-les-Bains; 73100; 5
73; Albertville; 73200; 3
01; Bourg-en-Bresse; 01000; 7
01; Oyonnax; 01100; 4
01; Ambérieu-en-Bugey; 01500; 3
26; Valence; 26000; 10
26; Montélimar; 26200; 6
26; Romans-sur-Isère; 26100; 5
26; Die; 26150; 1
07; Annonay; 07100; 3
07; Aubenas; 07200; 3
07; Privas; 07000; 2
03; Montluçon; 03100; 5
03; Vichy; 03200; 4
03; Moulins; 03000; 3
15; Aurillac; 15000; 4
15; Saint-Flour; 15100; 2
43; Le Puy-en-Velay; 43000; 3
43; Monistrol-sur-Loire; 43120; 2
75; Paris; 75001 75005 75010 75011 75012 75013 75014 75015 75017 75018 75019 75020; 80
92; Boulogne-Billancourt; 92100; 8
92; Nanterre; 92000; 7
92; Asnières-sur-Seine; 92600; 6
93; Saint-Denis; 93200 93210; 8
93; Montreuil; 93100; 8
94; Créteil; 94000; 6
94; Vitry-sur-Seine; 94400; 6
78; Versailles; 78000; 6
78; Mantes-la-Jolie; 78200; 3
91; Évry-Courcouronnes; 91000 91080; 5
91; Palaiseau; 91120; 3
95; Argenteuil; 95100; 7
95; Cergy; 95000 95800; 5
77; Meaux; 77100; 4
77; Melun; 77000; 3
59; Lille; 59000 59160 59260 59777 59800; 14
59; Roubaix; 59100; 6
59; Tourcoing; 59200; 6
59; Dunkerque; 59140 59240 59640; 5
59; Valenciennes; 59300; 3
62; Calais; 62100; 4
62; Arras; 62000; 3
62; Lens; 62300; 2
80; Amiens; 80000 80080 80090; 8
60; Beauvais; 60000; 4
02; Saint-Quentin; 02100; 3
67; Strasbourg; 67000 67100 67200; 16
67; Haguenau; 67500; 2
68; Mulhouse; 68100 68200; 7
68; Colmar; 68000; 4
57; Metz; 57000 57050 57070; 8
54; Nancy; 54000 54100; 7
51; Reims; 51100; 10
10; Troyes; 10000; 4
08; Charleville-Mézières; 08000; 3
88; Épinal; 88000; 2
21; Dijon; 21000; 10
25; Besançon; 25000; 8
71; Chalon-sur-Saône; 71100; 3
89; Auxerre; 89000; 2
58; Nevers; 58000; 2
39; Dole; 39100; 2
90; Belfort; 90000; 3
76; Rouen; 76000 76100; 8
76; Le Havre; 76600 76610 76620; 9
14; Caen; 14000; 7
50; Cherbourg-en-Cotentin; 50100 50120 50130; 4
27; Évreux; 27000; 3
61; Alençon; 61000; 2
35; Rennes; 35000 35200 35700; 13
35; Saint-Malo; 35400; 3
29; Brest; 29200; 8
29; Quimper; 29000; 4
56; Lorient; 56100; 4
56; Vannes; 56000; 3
22; Saint-Brieuc; 22000; 3
44; Nantes; 44000 44100 44200 44300; 18
44; Saint-Nazaire; 44600; 5
49; Angers; 49000 49100; 9
72; Le Mans; 72000 72100; 8
85; La Roche-sur-Yon; 85000; 3
53; Laval; 53000; 3
37; Tours; 37000 37100 37200; 8
45; Orléans; 45000 45100; 7
18; Bourges; 18000; 3
41; Blois; 41000; 3
28; Chartres; 28000; 2
36; Châteauroux; 36000; 2
33; Bordeaux; 33000 33100 33200 33300 33800; 16
33; Mérignac; 33700; 4
33; Arcachon; 33120; 1
87; Limoges; 87000 87100 87280; 7
86; Poitiers; 86000; 5
17; La Rochelle; 17000; 5
64; Pau; 64000; 5
64; Bayonne; 64100; 3
16; Angoulême; 16000; 3
24; Périgueux; 24000; 2
19; Brive-la-Gaillarde; 19100; 3
47; Agen; 47000; 2
40; Mont-de-Marsan; 40000; 2
79; Niort; 79000; 3
23; Guéret; 23000; 1
31; Toulouse; 31000 31100 31200 31300 31400 31500; 24
31; Colomiers; 31770; 2
34; Montpellier; 34000 34070 34080 34090; 16
34; Béziers; 34500; 4
34; Sète; 34200; 2
30; Nîmes; 30000 30900; 8
30; Alès; 30100; 2
66; Perpignan; 66000 66100; 6
11; Narbonne; 11100; 3
81; Albi; 81000; 3
82; Montauban; 82000; 3
65; Tarbes; 65000; 2
12; Rodez; 12000; 1
32; Auch; 32000; 1
46; Cahors; 46000; 1
09; Foix; 09000; 1
48; Mende; 48000; 1
2A; Ajaccio; 20000 20090; 4
2B; Bastia; 20200 20600; 3
971; Les Abymes; 97139 97142; 3
971; Pointe-à-Pitre; 97110; 1
972; Fort-de-France; 97200; 4
973; Cayenne; 97300; 3
974; Saint-Denis; 97400; 5
974; Saint-Pierre; 97410; 3
976; Mamoudzou; 97600; 3
"""

# How many deputies each département elects; a circonscription is one of these numbers.
_CIRCONSCRIPTIONS = """
01:5 02:5 03:3 04:2 05:2 06:9 07:3 08:3 09:2 10:3 11:3 12:3 13:16 14:6 15:2 16:3 17:5 18:3 19:2 2A:2 2B:2
21:5 22:5 23:1 24:4 25:5 26:4 27:5 28:4 29:8 30:6 31:10 32:2 33:12 34:9 35:8 36:2 37:5 38:10 39:3 40:3 41:3
42:6 43:2 44:10 45:6 46:2 47:3 48:1 49:7 50:4 51:5 53:3 54:6 56:6 57:9 58:2 59:21 60:7 61:3 62:12 63:5 64:6
65:2 66:4 67:9 68:6 69:14 71:5 72:5 73:4 74:6 75:18 76:10 77:11 78:12 79:3 80:5 81:3 82:2 83:8 84:5 85:5
86:4 87:3 88:4 89:3 90:2 91:10 92:13 93:12 94:11 95:10 971:4 972:4 973:2 974:7 976:2
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One commune. `departement` is its code; `circonscriptions` how many there are in that département."""

    name: str
    departement: str
    postcodes: tuple[str, ...]
    weight: int
    circonscriptions: int


def _read_places() -> tuple[Place, ...]:
    counts = dict(entry.split(":") for entry in _CIRCONSCRIPTIONS.split())
    rows = [[cell.strip() for cell in line.split(";")] for line in _TABLE.strip().splitlines()]
    return tuple(
        Place(name, departement, tuple(postcodes.split()), int(weight), int(counts[departement]))
        for departement, name, postcodes, weight in rows
    )


PLACES: tuple[Place, ...] = _read_places()
"""Every commune of the sandbox."""
