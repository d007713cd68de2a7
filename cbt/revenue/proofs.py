"""The proof that a household's closed statement is the one that was signed."""

from sqlalchemy.orm import Session

from cbt.errors import NotFound
from cbt.revenue import proof_code
from cbt.revenue.period_queries import (
    PeriodCard,
    list_keys,
    list_signatures,
    list_statements,
    read_head,
)
from cbt.revenue.proof_code import Proof, Signed
from cbt.revenue.signing import key_id

KEYS_HEAD = "# cbt-keys/1: role, community, public key (Ed25519, base64url)\n"


def get_proof(session: Session, period: PeriodCard, household: str) -> Proof:
    """A statement's proof with every signature that the period has by now. Raises NotFound."""
    statements = list_statements(session, period.id)
    places = [each.place for each in statements if each.household == household]
    if not places:
        raise NotFound(thing="statement")
    signed = [
        Signed(each.role, key_id(each.public_key), each.signature)
        for each in list_signatures(session, period.id)
    ]
    heads = [read_head(each.text) for each in statements]
    return proof_code.prove(heads, places[0], period.record_digest, signed)


def keys_text(session: Session, community_id: int, slug: str) -> str:
    """The public keys that may sign a community's periods, one a line; old ones among them."""
    lines = [
        f"{key.role} {slug if key.community_id else '-'} {key.public_key}\n"
        for key in list_keys(session, community_id)
    ]
    return KEYS_HEAD + "".join(lines)
