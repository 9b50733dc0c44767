//! The rules by name: what each says and where it comes from.
//!
//! A decision cites the one rule that made it, so that it can be explained and questioned. Rules
//! that bind people and deadlines rather than decisions stand here too, so that the list is whole.
//! This is no legal advice; counsel has to confirm what a practice relies on.

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable code, which an explanation gives.
    pub code: &'static str,
    /// The law, regulation or decision that it follows.
    pub source: &'static str,
    /// What it says, in a sentence.
    pub says: &'static str,
    /// Whether it decides who sees something, or binds people and deadlines.
    pub decides: bool,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $source:literal, $says:literal, $decides:literal;)*) => {
        $(
            #[doc = $says]
            pub const $name: &Rule =
                &Rule { code: $code, source: $source, says: $says, decides: $decides };
        )*

        /// Every rule, in the order of the tables.
        pub const RULES: &[&Rule] = &[$($name,)*];
    };
}

rules! {
    P0_VOID = "P0-void", "45 CFR 164.526, 164.530(i)",
        "What was taken back, merged or purged is not released.", true;
    P0_DRAFT = "P0-draft", "45 CFR 164.501 (designated record set)",
        "A draft that nobody has signed, or that a machine wrote, is not part of the record.", true;
    P0_UNKNOWN = "P0-unknown", "45 CFR 164.306(a)",
        "What cannot be told is taken as a no: an unknown label, class or status.", true;
    P0_STORE = "P0-store", "45 CFR 164.306(a)",
        "Without the consents at hand nothing is released.", true;
    P0_PURPOSE = "P0-purpose", "45 CFR 164.502(a)",
        "Nothing is released for a purpose that was not stated.", true;
    P0_OBLIGATION = "P0-obligation", "45 CFR 164.306(a)",
        "What may be released under a condition only is not released where it cannot be met.", true;
    P1_SCOPE = "P1-scope", "SMART App Launch 2.2.0, scopes",
        "The token, the client's registration and the tenant have to cover it.", true;
    P2_LEGAL = "P2-legal", "42 CFR 2.12(d), subpart E; 45 CFR 164.512(e)",
        "Proceedings are answered by people, never by the API.", true;
    P3_PSYCHOTHERAPY = "P3-psychotherapy", "45 CFR 164.501, 164.508(a)(2)",
        "Psychotherapy notes exist for no general path.", true;
    P3_SUD_COUNSELING = "P3-sud-counseling", "42 CFR 2.11, 2.31(b)",
        "SUD counselling notes exist for no general path.", true;
    P3_SUPERVISION = "P3-supervision", "45 CFR 164.501 (designated record set)",
        "Notes of supervision and peer review are not part of any patient's record.", true;
    P5_RESTRICTION = "P5-restriction", "45 CFR 164.522(a)",
        "A restriction that was agreed to binds.", true;
    P5_EMERGENCY = "P5-emergency", "45 CFR 164.522(a)(1)(iii)",
        "An agreed restriction yields where an emergency cannot be treated otherwise.", true;
    P7_DENY = "P7-deny", "45 CFR 164.508(b)(5), 164.522(a)",
        "The patient said no to this recipient, purpose or content.", true;
    P8_PERMIT = "P8-permit", "45 CFR 164.508(c)",
        "The patient said yes to this recipient, purpose and content.", true;
    P8_OWN_FORM = "P8-own-form", "45 CFR 164.508(c)(4)",
        "Whom a consent names may see the consent and its signed form.", true;
    P8_OTHERS_FORM = "P8-others-form", "45 CFR 164.508(c)(4), 164.502(b); 42 CFR 2.13(a)",
        "What the patient said to one recipient is told to no other, whatever else is released.", true;
    P8_OWN_TRANSFER = "P8-own-transfer", "45 CFR 164.506(c)(1), 164.508(c)(1)(iii)",
        "To whom care goes over may follow it, while a consent lets them know whose care it is.",
        true;
    P8_OTHERS_TRANSFER = "P8-others-transfer", "45 CFR 164.502(b); 42 CFR 2.13(a)",
        "To whom care goes over is told to no other, whatever else is released.", true;
    P8_OTHERS_REQUEST = "P8-others-request", "45 CFR 164.502(b), 164.530(c)(1)",
        "What somebody asks about a record is for whoever asked and for the practice.", true;
    P8_SUBJECT = "P8-subject", "45 CFR 164.508(c)(1)(i); 42 CFR 2.31(a)(1)",
        "Whoever may see something of a patient may see whose it is.", true;
    P9_OPT_IN = "P9-opt-in", "the practice's policy: opt-in",
        "Without a consent nothing leaves the practice.", true;
    P9_TPO = "P9-tpo", "45 CFR 164.506(c)",
        "A practice may choose to let records out for treatment, payment and operations.", true;
    P9_TPO_OTHER = "P9-tpo-other", "45 CFR 164.506(c), 164.502(b)",
        "Treatment, payment and operations cover no other purpose, recipient or content.", true;
    P9_GDPR = "P9-gdpr", "Regulation (EU) 2016/679 art. 9",
        "Data concerning health leave the practice with explicit consent only.", true;
    DIRECTORY = "directory", "45 CFR 160.103 (health information)",
        "Who works where is no patient's record.", true;
    OWN_USE = "own-use", "45 CFR 164.506(c)(1); Regulation (EU) 2016/679 art. 9(2)(h)",
        "The practice uses its own records of the general plane.", true;
    C1_1 = "C.1-1", "45 CFR 164.524(a)(1), 164.501",
        "The patient sees the designated record set.", true;
    C1_2 = "C.1-2", "45 CFR 164.524(a)(1)(i)",
        "Psychotherapy notes are not part of the patient's access; every letter says so.", true;
    C1_3 = "C.1-3", "45 CFR 164.524(a)(1)(ii)",
        "What was compiled for proceedings is withheld, without review.", true;
    C1_4 = "C.1-4", "45 CFR 164.524(a)(2)(v)",
        "What would reveal a confidential source may be withheld, without review.", true;
    C1_5 = "C.1-5", "45 CFR 164.524(a)(3)(i)",
        "What would endanger life or physical safety is withheld, and can be reviewed.", true;
    C1_6 = "C.1-6", "45 CFR 164.524(a)(3)(ii)",
        "What is about another person and would harm them is withheld, and can be reviewed.", true;
    C1_7 = "C.1-7", "45 CFR 164.524(a)(3)(iii), 164.502(g)(5)",
        "What would harm if a representative saw it is withheld from them, and can be reviewed.",
        true;
    C1_8 = "C.1-8", "45 CFR 164.524(d)",
        "Of a record withheld in part, the rest is released, with a letter on ground, review and \
         complaint.", false;
    C1_9 = "C.1-9", "45 CFR 164.524(b)(2)",
        "Access is due 30 calendar days after receipt; one extension of 30 days, told within the \
         first 30.", false;
    C1_10 = "C.1-10", "45 CFR 164.514(h)",
        "Who asks has to have shown who they are; the clock runs from receipt all the same.", true;
    C1_11 = "C.1-11", "45 CFR 164.524(c)(2)",
        "The form and format that was asked for is used where it can be made readily.", false;
    C1_12 = "C.1-12", "45 CFR 164.524(c)(4)",
        "Only labour, supplies and postage may be charged; the API costs nothing.", false;
    C1_13 = "C.1-13", "45 CFR 164.524(c)(3)(ii)",
        "A third party gets a copy by a signed directive that names it.", false;
    C1_14 = "C.1-14", "42 CFR 2.23",
        "A Part 2 patient sees their own record without a consent.", true;
    C1_15 = "C.1-15", "45 CFR 160.203(b)",
        "Where state law gives wider access, it prevails.", false;
    C1_16 = "C.1-16", "45 CFR 164.501 (designated record set)",
        "Drafts, supervision, peer review and what is no record of care are left out.", true;
    C1_17 = "C.1-17", "45 CFR 164.526",
        "An amendment is answered within 60 days, once extended by 30; a denial can be disputed.",
        false;
    C1_REVIEW = "C.1-review", "HL7 v3-ActCode NOPAT, TBOO; 45 CFR 171.201",
        "What waits for a review is withheld from the patient until then.", true;
    C2_1 = "C.2-1", "45 CFR 164.508(a)(2)(i)(A)",
        "Who wrote a psychotherapy note treats with it, inside the practice.", true;
    C2_2 = "C.2-2", "45 CFR 164.508(a)(2)",
        "A psychotherapy note goes out with an authorization for such notes that names the \
         recipient.", true;
    C2_3 = "C.2-3", "45 CFR 164.508(a)(2)(i)(B)",
        "Trainees see psychotherapy notes under supervision, never by the API.", true;
    C2_4 = "C.2-4", "45 CFR 164.508(a)(2)(ii), 164.512",
        "Defence, oversight, law, coroners and threats are for the privacy officer, never for the \
         API.", true;
    C2_5 = "C.2-5", "45 CFR 164.508(b)(4)",
        "Payers and operations get no psychotherapy note without an authorization.", true;
    C2_6 = "C.2-6", "45 CFR 164.508(b)(3)(ii)",
        "An authorization for other records is none for psychotherapy notes, whatever it lists.",
        true;
    C2_7 = "C.2-7", "45 CFR 164.524(a)(1)(i)",
        "The patient gets a psychotherapy note only where its author decides so.", true;
    C2_8 = "C.2-8", "45 CFR 164.508(a)(2)",
        "No emergency opens psychotherapy notes.", true;
    C2_GDPR = "C.2-gdpr", "Regulation (EU) 2016/679 art. 15",
        "The GDPR knows no exception for psychotherapy notes: the release job gives the patient \
         theirs after a review for harm.", true;
    C3_1 = "C.3-1", "42 CFR 2.11, 2.12",
        "Part 2 binds records of a program; a therapist who notes alcohol use is none.", false;
    C3_2 = "C.3-2", "42 CFR 2.31(a)(4), 2.33",
        "A TPO consent lets Part 2 records go to the recipient that it names.", true;
    C3_3 = "C.3-3", "42 CFR 2.31, 2.33",
        "A Part 2 consent lets out exactly what it describes, to whom and for what it says.", true;
    C3_4 = "C.3-4", "42 CFR 2.31, 2.32",
        "A general authorization is not sufficient for Part 2 records.", true;
    C3_5 = "C.3-5", "42 CFR 2.31(b)",
        "SUD counselling notes go out with a consent for such notes alone.", true;
    C3_6 = "C.3-6", "42 CFR 2.31(d), subpart E",
        "A consent to use in proceedings opens nothing by the API.", true;
    C3_7 = "C.3-7", "42 CFR 2.32",
        "Every disclosure by consent carries the notice, and the consent or what it covers.",
        false;
    C3_8 = "C.3-8", "42 CFR 2.31(a), (c)",
        "A Part 2 consent that lacks an element holds nothing open.", true;
    C3_9 = "C.3-9", "42 CFR 2.51",
        "In a medical emergency, medical personnel see the least that is needed; it is recorded at \
         once.", true;
    C3_10 = "C.3-10", "42 CFR 2.26",
        "A restriction on Part 2 records that was agreed to binds.", true;
    C3_11 = "C.3-11", "42 CFR 2.25",
        "Disclosures by consent are accounted for, three years back.", false;
    C3_12 = "C.3-12", "42 CFR 2.12(d)(2)",
        "A recipient need not keep TPO records apart; the labels stay on.", false;
    C3_13 = "C.3-13", "42 CFR 2.24, 2.31(a)(4)(ii)",
        "An intermediary passes on to those who are named, and keeps a list.", true;
    C4_1 = "C.4-1", "45 CFR 164.502(g)(3)(i)",
        "The parent or guardian of a minor sees what the minor could.", true;
    C4_2 = "C.4-2", "45 CFR 164.502(g)(3)(i)(A)-(C)",
        "Of care that a minor consented to alone, the parent sees nothing clinical.", true;
    C4_3 = "C.4-3", "45 CFR 164.502(g)(3)(ii)",
        "Where a minor could consent alone, state law says what a parent sees; where it is silent, \
         a licensed professional does.", true;
    C4_4 = "C.4-4", "42 CFR 2.14",
        "Of a minor's Part 2 record the parent sees nothing where the minor could get that care \
         alone.", true;
    C4_5 = "C.4-5", "the jurisdiction table",
        "The ages are a table that counsel confirms.", false;
    C4_6 = "C.4-6", "45 CFR 164.502(g)(3)",
        "At midnight of the birthday guardians lose their right, and what they signed lapses.",
        true;
    C4_7 = "C.4-7", "45 CFR 164.502(g)(5)",
        "Who may endanger the patient is not treated as their representative.", true;
    C4_8 = "C.4-8", "45 CFR 164.502(g)(3)",
        "A custody order, or an order about records or contact, stops access until reviewed.",
        true;
    C4_9 = "C.4-9", "45 CFR 164.524(a)(3)(ii)",
        "Each adult of a couple or family has a record of their own; what is about the others is \
         blotted out.", false;
    C4_10 = "C.4-10", "45 CFR 164.502(f), (g)(4)",
        "The executor of the deceased is their representative, for fifty years.", true;
    C4_11 = "C.4-11", "45 CFR 164.502(g)(2)",
        "Who has authority with evidence acts for the patient, as far as it reaches.", true;
    C4_12 = "C.4-12", "45 CFR 164.502(g)(1)",
        "Without authority and evidence nobody acts for the patient.", true;
    C4_13 = "C.4-13", "45 CFR 164.502(g)(2)",
        "An authority for appointments and bills shows nothing clinical.", true;
    C4_14 = "C.4-14", "45 CFR 164.508(c)",
        "A patient may let somebody of their choice see their record.", true;
    C5_1 = "C.5-1", "45 CFR 164.510(b), 164.512(j), 164.312(a)(2)(ii)",
        "In an emergency a clinician who says why, and has proven again who they are, sees the \
         little that is needed.", true;
    C5_2 = "C.5-2", "45 CFR 164.312(a)(2)(ii)",
        "Without role, reason, second proof or time left, no glass is broken.", true;
    C5_3 = "C.5-3", "45 CFR 164.502(b)",
        "Notes, messages and everything that is not needed at once stay closed.", true;
    C5_4 = "C.5-4", "45 CFR 164.308(a)(1)(ii)(D)",
        "Each break is told to the privacy officer at once and reviewed within three days; the \
         patient can see it.", false;
    C6_1 = "C.6-1", "45 CFR 164.528(a)(1)",
        "Disclosures are accounted for six years back, save those for TPO, to the individual, by \
         authorization, and a few more.", false;
    C6_2 = "C.6-2", "45 CFR 164.528(b)(2)",
        "An accounting gives date, recipient, what, and why; repeated ones may be summed up.",
        false;
    C6_3 = "C.6-3", "45 CFR 164.528(c)",
        "It is given within 60 days, once extended by 30; the first in a year is free.", false;
    C6_4 = "C.6-4", "45 CFR 164.528(a)(2)",
        "It is suspended where a law enforcement or oversight agency says it would impede them.",
        false;
    C9_THERAPIST = "C.9-therapist", "45 CFR 164.514(d)(2)",
        "Who treats a patient sees the record of the general plane.", true;
    C9_SUPERVISOR = "C.9-supervisor", "45 CFR 164.514(d)(2)",
        "A supervisor sees the records of those whom their supervisees treat.", true;
    C9_ADMIN = "C.9-admin", "45 CFR 164.514(d)(2)",
        "The office sees who, when, and whether there is a consent.", true;
    C9_BILLER = "C.9-biller", "45 CFR 164.514(d)(2)",
        "Billing sees encounters and codes.", true;
    C9_PRIVACY = "C.9-privacy", "45 CFR 164.514(d)(2), 164.530(a)",
        "The privacy officer sees what a request is about.", true;
    C9_NOT_NEEDED = "C.9-not-needed", "45 CFR 164.502(b), 164.514(d)(2)",
        "Staff see what their work needs, and no more.", true;
    C9_OWN_CHART = "C.9-own-chart", "45 CFR 164.308(a)(3)",
        "Nobody opens their own record as staff.", true;
}
