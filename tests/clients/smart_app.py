"""Connects as a SMART app with Python's fhirclient, and reads, refreshes, and is cut off.

    python smart_app.py BASE CLIENT REDIRECT

Prints the authorization URL; reads the URL that the browser was sent back to from standard input;
prints what it saw as one JSON line, and waits for another line before it asks once more.
"""

import json
import sys

from fhirclient import client
from fhirclient.models.patient import Patient

base, app, redirect = sys.argv[1:]
smart = client.FHIRClient(settings={
    "app_id": app,
    "api_base": base,
    "redirect_uri": redirect,
    "scope": "openid fhirUser launch/patient offline_access patient/*.read",
})
print(smart.authorize_url, flush=True)
smart.handle_callback(sys.stdin.readline().strip())
first = smart.server.auth.access_token
patient = Patient.read(smart.patient_id, smart.server)
saw = {"patient": smart.patient_id, "family": patient.name[0].family}
refreshed = smart.reauthorize()
saw["refreshed"] = refreshed and smart.server.auth.access_token != first
saw["again"] = Patient.read(smart.patient_id, smart.server).id
print(json.dumps(saw), flush=True)
sys.stdin.readline()
try:
    Patient.read(smart.patient_id, smart.server)
    print("still connected", flush=True)
except Exception as refused:
    print(type(refused).__name__, flush=True)
