"""Taking in the evidence of a request, and handing it out to who may see it."""

from flask import Response, request, session

from cbt.revenue.fund_queries import EvidenceCard
from cbt.revenue.funds import MOST_BYTES, FileKind
from cbt.web.fund_forms import AROUND_THE_FILE

_TYPES = {
    FileKind.PDF: "application/pdf",
    FileKind.JPEG: "image/jpeg",
    FileKind.PNG: "image/png",
}


def let_evidence_in() -> None:
    """A route that takes evidence takes more than a form holds, only from people who are signed in."""
    if "person_id" in session:
        request.max_content_length = MOST_BYTES + AROUND_THE_FILE


def send_evidence(evidence: EvidenceCard, claim_id: int) -> Response:
    """The file as it was handed in, under a name of ours: to be kept, never shown as a page of ours."""
    return send_file(FileKind(evidence.kind), evidence.body, f"evidence-{claim_id}")


def send_file(kind: FileKind, body: bytes, name: str) -> Response:
    answer = Response(body, mimetype=_TYPES[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return answer
