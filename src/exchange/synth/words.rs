//! The words that fictional records are made of. Nobody here exists.

/// Family names.
pub(super) const FAMILIES: &[&str] = &[
    "Abara",
    "Almeida",
    "Andersson",
    "Baptiste",
    "Bjarnason",
    "Castellanos",
    "Chaudhary",
    "Chen",
    "Dimitrova",
    "Donnelly",
    "Espinoza",
    "Farouk",
    "Fitzgerald",
    "Gallego",
    "Haddow",
    "Hernández",
    "Ibrahim",
    "Jansen",
    "Kaplan",
    "Kowalska",
    "Laurent",
    "Lindgren",
    "Mbeki",
    "Mendoza",
    "Moreau",
    "Nakagawa",
    "Novak",
    "O’Leary",
    "Okonkwo",
    "Park",
    "Quispe",
    "Rahman",
    "Rossi",
    "Sato",
    "Schreiber",
    "Silva",
    "Tanaka",
    "Tesfaye",
    "Thornton",
    "Ueda",
    "Vasquez",
    "Wójcik",
    "Yamamoto",
    "Yilmaz",
    "Zhang",
    "Zielinski",
];

/// Given names with the administrative gender they are recorded with here.
pub(super) const GIVEN: &[(&str, &str)] = &[
    ("Amara", "female"),
    ("Anika", "female"),
    ("Beatriz", "female"),
    ("Carmen", "female"),
    ("Divya", "female"),
    ("Eleanor", "female"),
    ("Fatima", "female"),
    ("Grace", "female"),
    ("Hana", "female"),
    ("Ingrid", "female"),
    ("Abel", "male"),
    ("Bruno", "male"),
    ("Cyrus", "male"),
    ("Dmitri", "male"),
    ("Emeka", "male"),
    ("Felix", "male"),
    ("Gustavo", "male"),
    ("Hassan", "male"),
    ("Idris", "male"),
    ("Joon", "male"),
    ("Alex", "other"),
    ("Robin", "other"),
    ("Sam", "unknown"),
];

/// Streets and cities with their postal codes.
pub(super) const STREETS: &[&str] =
    &["Aspen Way", "Birch Ln", "Cedar Ct", "Dogwood Dr", "Elm St", "Fir Ave", "Grove Rd"];
/// Cities with their postal codes.
pub(super) const CITIES: &[(&str, &str)] =
    &[("Denver", "80202"), ("Boulder", "80301"), ("Aurora", "80012"), ("Pueblo", "81003")];

/// Languages, the first by far the most frequent.
pub(super) const LANGUAGES: &[&str] = &["en-US", "en-US", "en-US", "en-US", "es-US", "vi", "ar"];

/// Problems: ICD-10-CM code, its text, what the client says, what is done about it.
pub(super) const PROBLEMS: &[(&str, &str, &str, &str)] = &[
    ("F32.0", "Major depressive disorder, single episode, mild", "Low mood", "CBT for depression"),
    (
        "F32.1",
        "Major depressive disorder, single episode, moderate",
        "Low mood and poor sleep",
        "CBT with behavioural activation",
    ),
    (
        "F33.1",
        "Major depressive disorder, recurrent, moderate",
        "Depression has come back",
        "Mindfulness-based cognitive therapy",
    ),
    ("F41.0", "Panic disorder [episodic paroxysmal anxiety]", "Panic attacks", "Exposure"),
    ("F41.1", "Generalized anxiety disorder", "Worries about everything", "CBT for worry"),
    (
        "F43.23",
        "Adjustment disorder with mixed anxiety and depressed mood",
        "A separation",
        "Supportive therapy",
    ),
    ("F43.10", "Post-traumatic stress disorder, unspecified", "Nightmares", "Trauma-focused CBT"),
    ("F40.10", "Social phobia, unspecified", "Avoids people", "CBT for social anxiety"),
];

/// What sessions are about, with what was heard.
pub(super) const TOPICS: &[(&str, &str)] = &[
    ("activity", "Kept the activity diary on most days; days with a walk were better."),
    ("sleep", "Bed and rising times were regular; woke once on most nights."),
    ("thoughts", "Brought two thought records and found all-or-nothing thinking in both."),
    ("exposure", "Did the agreed exposure three times; fear fell from 8 to 4."),
    ("work", "A hard week at work; practised saying no in the session."),
    ("family", "A visit went better than expected; named what helped."),
    ("values", "Listed what matters most, and one small step for each."),
    ("relapse signs", "Named three early signs and what to do about each."),
];

/// What was done in a session.
pub(super) const INTERVENTIONS: &[&str] = &[
    "cbt_psychoeducation",
    "cbt_behavioural_activation",
    "cbt_thought_record",
    "exposure",
    "problem_solving",
];

/// What clients write, and what they are answered.
pub(super) const EXCHANGES: &[(&str, &str)] = &[
    ("Could you send me the worksheet again?", "Here it is. One line a day is enough."),
    ("Slept through last night 🎉", "Wonderful. Note what was different."),
    ("I missed the exposure on Tuesday.", "That happens. Try a smaller step tomorrow."),
    ("Hard day today, but I went for the walk.", "Well done; that is when it counts."),
    ("¿Podemos hablar del trabajo el martes?", "Claro, lo apunto."),
    ("Is the session at the usual time?", "Yes, same time, same link."),
];
