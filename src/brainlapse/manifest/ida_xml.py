"""IDA's XML side files, one an image: the only offline source of the decimal age and of what was derived.

Element names are those of ida.loni.usc.edu's `idaxs` files; namespaces are
ignored. A document type, and so every entity, is refused.
"""

from xml.parsers import expat

FIELDS = {  # an element's name, and our word for the first text it has
    "subjectIdentifier": "subject",
    "researchGroup": "group",
    "subjectSex": "sex",
    "visitIdentifier": "visit",
    "subjectAge": "age",
    "dateAcquired": "date",
    "modality": "modality",
}
TERMS = {"field strength": "field_strength", "manufacturer": "manufacturer"}


class Unreadable(ValueError):
    """The file is no XML, or not such XML as a study sends."""


def image_facts(data: bytes) -> dict[str, str]:
    """Return what one side file says of its image, as text, by our words.

    `scan` and `description` are those of the derived image where there is one
    (`type` is then Processed), else those of the original. Raises Unreadable.
    """
    facts = _Facts()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler, parser.EndElementHandler = facts.start, facts.end
    parser.CharacterDataHandler = facts.text.append
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Unreadable(f"is no XML: {error}") from None
    if "scan" not in facts.found:
        raise Unreadable("names no image (imageUID)")
    return {"type": "Original"} | facts.found


class _Facts:
    """Collects the facts while the parser walks through the elements."""

    def __init__(self):
        self.found, self.text = {}, []
        self._path, self._term = [], None

    def start(self, tag: str, attributes: dict) -> None:
        self._path.append(tag.rpartition(":")[2])
        self.text.clear()
        if self._path[-1] == "protocol":
            self._term = TERMS.get(attributes.get("term", "").lower())

    def end(self, tag: str) -> None:
        name, text = self._path.pop(), "".join(self.text).strip()
        self.text.clear()
        parent = self._path[-1] if self._path else ""
        if not text:
            return
        if parent == "derivedProduct" and name in ("imageUID", "processedDataLabel"):
            self.found["scan" if name == "imageUID" else "description"] = text
            self.found["type"] = "Processed"
        elif parent == "imagingProtocol" and name in ("imageUID", "description"):
            self.found.setdefault("scan" if name == "imageUID" else "description", text)
        elif name == "protocol" and self._term:
            self.found.setdefault(self._term, text)
        elif name in FIELDS:
            self.found.setdefault(FIELDS[name], text)


def _refuse_doctype(*_) -> None:
    raise Unreadable("has a document type, which could hide anything; IDA's files have none")
