"""Drives the FHIR API with fhirclient, as an integrator would: fhirclient_reads.py BASE TOKEN

Prints what it saw as one JSON line; any failure is a non-zero exit. fhirclient checks every
resource that it gets against its classes of R4.
"""
import json, sys

from fhirclient import client
from fhirclient.models import encounter, observation, patient, practitioner

base, token = sys.argv[1:3]
server = client.FHIRClient(settings={"app_id": "test", "api_base": base}).server
server.session.headers["Authorization"] = f"Bearer {token}"

first = encounter.Encounter.where({"status": "finished", "_count": "2"}).perform(server)
found = encounter.Encounter.where({"status": "finished", "_count": "2"}).perform_resources(server)
one = found[0]
subject = one.subject.resolved(patient.Patient)
therapist = next(
    p.individual.resolved(practitioner.Practitioner)
    for p in one.participant if p.individual.reference.startswith("Practitioner/")
)
again = encounter.Encounter.read(one.id, server)
of_patient = encounter.Encounter.where({"patient": subject.id, "status": "finished"}).perform_resources(server)
scores = observation.Observation.where({"code": "http://loinc.org|44261-6", "_count": "5"}).perform_resources(server)
try:
    patient.Patient.read("absent", server)
    refusal = None
except Exception as error:  # fhirclient raises what the status says
    refusal = type(error).__name__
print(json.dumps({
    "total": first.total,
    "seen": len({e.id for e in found}),
    "same": again.as_json() == one.as_json(),
    "patient": subject.resource_type,
    "therapist": therapist.resource_type,
    "own": all(e.subject.reference == one.subject.reference for e in of_patient) and bool(of_patient),
    "scores": all(s.valueQuantity.value is not None for s in scores) and len(scores),
    "refusal": refusal,
}))
