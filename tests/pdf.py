"""Looks at a PDF as a reader that speaks it would, and prints what it finds as JSON."""
import json
import sys

from pypdf import PdfReader
from pypdf.generic import IndirectObject

reader = PdfReader(sys.argv[1])
root = reader.trailer["/Root"]
tags, problems = [], []


def walk(node, path):
    node = node.get_object() if isinstance(node, IndirectObject) else node
    if not isinstance(node, dict) or "/S" not in node:
        return
    tag = node["/S"][1:]
    tags.append(tag)
    if tag == "TD" and "TR" not in path:
        problems.append("a cell outside a row")
    if tag == "TH" and "/A" not in node:
        problems.append("a header cell without a scope")
    kids = node.get("/K", [])
    kids = kids.get_object() if isinstance(kids, IndirectObject) else kids
    for kid in kids if isinstance(kids, list) else [kids]:
        walk(kid, path + [tag])


structure = root["/StructTreeRoot"]
kids = structure["/K"]
for kid in kids if isinstance(kids, list) else [kids]:
    walk(kid, [])
fonts = {
    font.get_object()["/BaseFont"]
    for page in reader.pages
    for font in page["/Resources"]["/Font"].values()
}
metadata = root["/Metadata"].get_object().get_data().decode()
print(json.dumps({
    "language": root["/Lang"],
    "marked": bool(root["/MarkInfo"]["/Marked"]),
    "showsTitle": bool(root["/ViewerPreferences"]["/DisplayDocTitle"]),
    "title": reader.metadata.title,
    "pdfua": "pdfuaid:part" in metadata,
    "outline": len(reader.outline),
    "pages": len(reader.pages),
    "tags": {tag: tags.count(tag) for tag in sorted(set(tags))},
    "fonts": len(fonts),
    "scripts": "/JavaScript" in str(root.get("/Names", "")) or "/OpenAction" in root,
    "problems": problems,
    "text": "\n".join(page.extract_text() for page in reader.pages),
}))
