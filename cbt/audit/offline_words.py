"""What the offline verifier says, in English and Thai. Standard library alone.

It stands apart from the catalogues of the program, so that it can be copied without them.
"""

from __future__ import annotations

LANGUAGES = ("en", "th")

CHECKS = {
    "manifest": (
        "each file is the one that the manifest names",
        "ทุกแฟ้มตรงกับที่บัญชีรายชื่อแฟ้มระบุไว้",
    ),
    "chain": (
        "every entry follows the one before it, from head to head",
        "ทุกรายการต่อจากรายการก่อนหน้า ตั้งแต่ต้นโซ่จนถึงปลายโซ่",
    ),
    "legs": (
        "every movement goes from one account to another",
        "ทุกการเคลื่อนไหวออกจากบัญชีหนึ่งไปอีกบัญชีหนึ่ง",
    ),
    "balances": (
        "opening and movements give the closing; nothing is below zero",
        "ยอดยกมารวมการเคลื่อนไหวได้ยอดคงเหลือ และไม่มียอดติดลบ",
    ),
    "policies": (
        "policies are as adopted, and each booking was sold under the one in force",
        "ข้อตกลงตรงกับที่มีมติ และการจองทุกรายการขายภายใต้ข้อตกลงที่ใช้อยู่ในวันนั้น",
    ),
    "prices": ("each price is the sum of its lines", "ราคาแต่ละรายการเท่ากับผลรวมของบรรทัด"),
    "work": (
        "who worked was a member; shares held are never below zero",
        "ผู้ทำงานเป็นครัวเรือนสมาชิก และจำนวนหุ้นไม่ติดลบ",
    ),
    "money": (
        "payments, refunds, fees and cash are in the books as recorded",
        "เงินรับ เงินคืน ค่าธรรมเนียม และเงินสด อยู่ในสมุดบัญชีตามที่บันทึก",
    ),
    "deposits": (
        "per booking: captured = refunded + on deposit + split",
        "ต่อการจอง: เงินรับ = เงินคืน + เงินมัดจำคงค้าง + เงินที่แบ่งแล้ว",
    ),
    "splits": (
        "each split is what the policy gives, to the satang",
        "การแบ่งเงินของทุกการจองตรงตามข้อตกลงทุกสตางค์",
    ),
    "sharing": (
        "each sharing-out is what work and ownership give, to the satang",
        "การแบ่งให้ครัวเรือนตรงตามงานและหุ้นทุกสตางค์",
    ),
    "losses": (
        "losses, debts and corrections are borne as the rule says",
        "ผลขาดทุน หนี้ และการแก้ไข เป็นไปตามกติกา",
    ),
    "payouts": (
        "payouts are in the books, never more than was payable",
        "เงินที่จ่ายให้ครัวเรือนอยู่ในสมุดบัญชี และไม่เกินยอดค้างจ่าย",
    ),
    "funds": (
        "uses of the funds are approved by two; no fund is below zero",
        "การใช้เงินกองทุนมีผู้อนุมัติสองคน และไม่มีกองทุนติดลบ",
    ),
    "entries": (
        "every entry is called for by a fact, once",
        "ทุกรายการมีข้อเท็จจริงรองรับ และบันทึกครั้งเดียว",
    ),
    "numbers": (
        "receipts and settlements are numbered without a gap",
        "เลขที่ใบเสร็จและเลขที่การแบ่งเงินต่อเนื่องกัน",
    ),
    "people": (
        "two people stand where two must, a mentor is a third",
        "มีสองคนในทุกที่ที่ต้องมีสองคน และพี่เลี้ยงเป็นคนที่สาม",
    ),
    "periods": (
        "closed months add up and say what was signed",
        "เดือนที่ปิดแล้วยอดถูกต้อง และตรงกับที่ลงนาม",
    ),
    "statements": (
        "every statement says what the books say, under one root",
        "ใบแจ้งยอดทุกใบตรงกับสมุดบัญชี และอยู่ใต้รากเดียวกัน",
    ),
    "signatures": (
        "every signature holds, by a key that the platform took in",
        "ลายเซ็นทุกลายเซ็นถูกต้อง ด้วยกุญแจที่แพลตฟอร์มรับรอง",
    ),
}

FAULTS = {
    "file_differs": (
        "{what} differs from the manifest: it says {stated}, found {found}",
        "{what} ไม่ตรงกับบัญชีรายชื่อแฟ้ม: ระบุ {stated} พบ {found}",
    ),
    "genesis_differs": (
        "the chain does not begin with this community's books",
        "โซ่ไม่ได้เริ่มจากสมุดบัญชีของชุมชนนี้",
    ),
    "chain_gap": (
        "an entry is missing or out of place: number {expected} was next",
        "มีรายการขาดหายหรือผิดที่: ลำดับถัดไปต้องเป็น {expected}",
    ),
    "chain_link": (
        "it does not follow the entry before it",
        "ไม่ต่อจากรายการก่อนหน้า",
    ),
    "entry_changed": (
        "it does not hash to what it was posted with (key {key})",
        "ค่าแฮชไม่ตรงกับเมื่อบันทึก (กุญแจ {key})",
    ),
    "head_differs": (
        "the chain ends at entry {found} and not as stated at {stated}",
        "โซ่จบที่รายการ {found} ไม่ตรงกับที่ระบุ คือ {stated}",
    ),
    "leg_invalid": (
        "movement {line} moves nothing, or from an account to itself",
        "การเคลื่อนไหวบรรทัด {line} ไม่มีจำนวนเงิน หรือออกและเข้าบัญชีเดียวกัน",
    ),
    "account_unknown": (
        "the account {account} is not in the chart",
        "ไม่มีบัญชี {account} ในผังบัญชี",
    ),
    "leg_stray": (
        "movement {line} belongs to no entry",
        "การเคลื่อนไหวบรรทัด {line} ไม่มีรายการ",
    ),
    "leg_numbers": ("its movements are not numbered from 1", "ลำดับการเคลื่อนไหวไม่เริ่มจาก 1"),
    "total_differs": (
        "its total is {stated}, its movements sum to {found} satang",
        "ยอดรวมระบุ {stated} แต่การเคลื่อนไหวรวมได้ {found} สตางค์",
    ),
    "account_twice": ("an account stands there twice", "มีบัญชีซ้ำ"),
    "not_even": (
        "what is owned and what is owed differ by {found} satang",
        "สินทรัพย์กับหนี้สินต่างกัน {found} สตางค์",
    ),
    "may_not": ("this account must never be below zero", "บัญชีนี้ต้องไม่ติดลบ"),
    "balance_differs": (
        "the closing is {stated}, recomputed {found} satang",
        "ยอดคงเหลือระบุ {stated} คำนวณใหม่ได้ {found} สตางค์",
    ),
    "below_zero": ("it was below zero after entry {entry}", "ยอดติดลบหลังรายการ {entry}"),
    "policy_changed": (
        "its text is not the one that was adopted",
        "ข้อความไม่ตรงกับที่มีมติ",
    ),
    "unreadable": ("its text cannot be read as a policy", "อ่านข้อความเป็นข้อตกลงไม่ได้"),
    "proposal_differs": (
        "it is not what was proposed to the meeting",
        "ไม่ตรงกับที่เสนอต่อที่ประชุม",
    ),
    "before_adoption": ("it began before it was adopted", "เริ่มใช้ก่อนวันที่มีมติ"),
    "no_majority": (
        "{for} votes of {present} present are no majority",
        "เห็นชอบ {for} จากผู้มาประชุม {present} ไม่ถึงเสียงข้างมาก",
    ),
    "no_quorum": ("{present} present are no quorum", "ผู้มาประชุม {present} ไม่ครบองค์ประชุม"),
    "not_in_force": (
        "the policy {policy} was not the one in force when it was sold",
        "ข้อตกลง {policy} ไม่ใช่ฉบับที่ใช้อยู่ในวันที่ขาย",
    ),
    "price_differs": (
        "the price is {stated}, its lines sum to {found} satang",
        "ราคาระบุ {stated} แต่บรรทัดรวมได้ {found} สตางค์",
    ),
    "stranger": (
        "{household} was no member household that day",
        "{household} ไม่ใช่ครัวเรือนสมาชิกในวันนั้น",
    ),
    "shares_below_zero": (
        "more shares moved than were held on {day}",
        "มีการโอนหุ้นเกินจำนวนที่ถือ ณ {day}",
    ),
    "shares_odd": (
        "shares were issued, passed on or taken back between whom that cannot be",
        "การออก โอน หรือคืนหุ้นระบุผู้ให้หรือผู้รับไม่ถูกต้อง",
    ),
    "entry_missing": (
        "the books lack its entry {key}",
        "ไม่มีรายการ {key} ในสมุดบัญชี",
    ),
    "amount_differs": (
        "into {account} the books say {stated}, recomputed {found} satang",
        "เข้าบัญชี {account} สมุดบัญชีระบุ {stated} คำนวณใหม่ได้ {found} สตางค์",
    ),
    "legs_differ": (
        "the movements of entry {entry} have another order or reason",
        "ลำดับหรือเหตุผลของการเคลื่อนไหวในรายการ {entry} ไม่ตรง",
    ),
    "policy_differs": (
        "entry {entry} names another policy than it was sold under",
        "รายการ {entry} อ้างข้อตกลงคนละฉบับกับที่ขาย",
    ),
    "facts_unfit": (
        "the facts are not those that entry {entry} was made from",
        "ข้อเท็จจริงไม่ตรงกับเมื่อบันทึกรายการ {entry}",
    ),
    "about_differs": (
        "entry {entry} is about something else or of another day",
        "รายการ {entry} เป็นเรื่องอื่นหรือวันอื่น",
    ),
    "cannot": (
        "the rule gives no result for these facts ({why})",
        "กติกาคำนวณจากข้อเท็จจริงนี้ไม่ได้ ({why})",
    ),
    "deposit_differs": (
        "{what} deposit: the books say {stated}, recomputed {found} satang",
        "เงินมัดจำ ({what}): สมุดบัญชีระบุ {stated} คำนวณใหม่ได้ {found} สตางค์",
    ),
    "number_gap": ("a number is missing", "เลขที่ขาดหาย"),
    "number_twice": ("a number stands there twice", "เลขที่ซ้ำ"),
    "payout_unknown": ("there is no such payout", "ไม่มีการจ่ายนี้"),
    "payout_steps": (
        "its steps do not follow each other lawfully",
        "ขั้นตอนการจ่ายไม่เป็นไปตามลำดับ",
    ),
    "beyond_payable": (
        "{stated} satang were ordered when {found} were owed",
        "สั่งจ่าย {stated} สตางค์ ทั้งที่ค้างจ่าย {found} สตางค์",
    ),
    "approvals": (
        "fewer than two others approved it",
        "มีผู้อื่นอนุมัติไม่ถึงสองคน",
    ),
    "unexplained": ("no fact calls for it (key {key})", "ไม่มีข้อเท็จจริงรองรับ (กุญแจ {key})"),
    "doubled": ("it stands there twice (key {key})", "บันทึกซ้ำ (กุญแจ {key})"),
    "not_earlier": (
        "it is said to be earlier and is not",
        "ระบุว่าเป็นรายการก่อนหน้า แต่ไม่ใช่",
    ),
    "one_person": (
        "person {person} stands there where two must",
        "ผู้ใช้ {person} คนเดียวทำในที่ที่ต้องมีสองคน",
    ),
    "late": (
        "entry {entry} was recorded after the month was closed",
        "รายการ {entry} บันทึกหลังปิดเดือน",
    ),
    "period_gap": (
        "it does not follow the month before it",
        "ไม่ต่อจากเดือนก่อนหน้า",
    ),
    "months_differ": (
        "the closed months are not those that the manifest names",
        "เดือนที่ปิดแล้วไม่ตรงกับที่บัญชีรายชื่อแฟ้มระบุ",
    ),
    "no_anchor": (
        "the signed month before the first one is missing",
        "ไม่มีเดือนก่อนหน้าที่ลงนามแล้ว",
    ),
    "snapshot_differs": (
        "{account}: the close says {stated}, recomputed {found} satang",
        "{account}: เมื่อปิดเดือนระบุ {stated} คำนวณใหม่ได้ {found} สตางค์",
    ),
    "opening_differs": (
        "the opening does not lead to what the month before was closed with: {stated}, {found} satang",
        "ยอดยกมาไม่ตรงกับยอดปิดเดือนก่อน: {stated} กับ {found} สตางค์",
    ),
    "record_differs": (
        "its record is not what the books say: {stated} / {found}",
        "บันทึกปิดเดือนไม่ตรงกับสมุดบัญชี: {stated} / {found}",
    ),
    "seal_differs": ("its seal is not that of its record", "ตราปิดเดือนไม่ตรงกับบันทึก"),
    "statement_differs": (
        "it is not what the books say of this household",
        "ไม่ตรงกับสมุดบัญชีของครัวเรือนนี้",
    ),
    "leaf_differs": ("its hash is not that of its text", "ค่าแฮชไม่ตรงกับข้อความ"),
    "statement_missing": (
        "money moved for this household and there is no statement",
        "มีเงินเคลื่อนไหวของครัวเรือนนี้แต่ไม่มีใบแจ้งยอด",
    ),
    "root_differs": (
        "the statements do not lead to the root that was signed",
        "ใบแจ้งยอดไม่นำไปสู่รากที่ลงนาม",
    ),
    "key_not_endorsed": (
        "the platform did not take this key in",
        "แพลตฟอร์มไม่ได้รับรองกุญแจนี้",
    ),
    "signature_missing": ("the platform did not sign it", "แพลตฟอร์มไม่ได้ลงนาม"),
    "signature_invalid": (
        "the signature of the {role} does not hold",
        "ลายเซ็นของ {role} ไม่ถูกต้อง",
    ),
    "key_unknown": (
        "the platform's key is not among those you trust",
        "กุญแจของแพลตฟอร์มไม่อยู่ในกุญแจที่ท่านเชื่อถือ",
    ),
    "code_unknown": (
        "no month has the code {code}",
        "ไม่มีเดือนใดมีรหัส {code}",
    ),
    "not_closed": ("nobody has closed it", "ยังไม่มีผู้ปิดเดือนนี้"),
    "broke": ("the check cannot read it: {why}", "ตรวจไม่ได้: {why}"),
}

REFUSALS = {
    "missing": ("there is no file {file}", "ไม่พบแฟ้ม {file}"),
    "large": ("{file} is larger than a bundle may be", "{file} ใหญ่เกินกว่าที่ชุดตรวจสอบจะเป็นได้"),
    "archive": ("it is no whole zip file ({problem})", "ไม่ใช่แฟ้ม zip ที่สมบูรณ์ ({problem})"),
    "files": ("it holds {count} files, more than a bundle has", "มี {count} แฟ้ม มากกว่าที่ชุดตรวจสอบมี"),
    "path": ("the name {file} leads out of the bundle", "ชื่อแฟ้ม {file} ชี้ออกนอกชุดตรวจสอบ"),
    "twice": ("it holds {file} twice", "มีแฟ้ม {file} ซ้ำ"),
    "unknown": ("a bundle has no file {file}", "ชุดตรวจสอบไม่มีแฟ้มชื่อ {file}"),
    "hidden": ("{file} is encrypted", "{file} ถูกเข้ารหัสลับ"),
    "bomb": (
        "{file} would unpack to more than a bundle may",
        "{file} คลายแล้วใหญ่เกินกว่าที่ชุดตรวจสอบจะเป็นได้",
    ),
    "lacking": ("it lacks {file}", "ไม่มีแฟ้ม {file}"),
    "line": (
        "{file}, line {line} is too long or does not end",
        "{file} บรรทัด {line} ยาวเกินไปหรือไม่จบบรรทัด",
    ),
    "encoding": ("{file}, line {line} is not UTF-8", "{file} บรรทัด {line} ไม่ใช่ UTF-8"),
    "format": (
        "its format is not cbt-bundle/1 but {found}",
        "รูปแบบไม่ใช่ cbt-bundle/1 แต่เป็น {found}",
    ),
    "manifest": ("the manifest is not complete: {what}", "บัญชีรายชื่อแฟ้มไม่สมบูรณ์: {what}"),
    "number": (
        "{file}, line {line} has a number beyond measure",
        "{file} บรรทัด {line} มีตัวเลขเกินขนาด",
    ),
    "json": (
        "{file}, line {line} is not the JSON it should be",
        "{file} บรรทัด {line} ไม่ใช่ JSON ที่ถูกต้อง",
    ),
    "headings": ("{file} has other columns", "คอลัมน์ของ {file} ไม่ถูกต้อง"),
    "row": ("{file}, line {line} is no row of this table", "{file} บรรทัด {line} ไม่ใช่แถวของตารางนี้"),
    "formula": (
        "{file}, line {line}, {column}: a spreadsheet would take this for a formula",
        "{file} บรรทัด {line} {column}: โปรแกรมตารางจะถือเป็นสูตร",
    ),
    "cell": (
        "{file}, line {line}, {column} is not what stands in this column",
        "{file} บรรทัด {line} {column} ไม่ใช่ค่าของคอลัมน์นี้",
    ),
}

LINES = {
    "ok": ("ok", "ผ่าน"),
    "fail": ("FAIL", "ไม่ผ่าน"),
    "none": ("none", "ไม่มี"),
    "nothing": ("NOTHING", "ไม่มีข้อมูล"),
    "open": ("open", "ยังไม่ปิด"),
    "bundle": (
        "bundle of {community}, {from} to {to}: entries {first_entry} to {last_entry}",
        "ชุดตรวจสอบของ {community} ตั้งแต่ {from} ถึง {to}: รายการ {first_entry} ถึง {last_entry}",
    ),
    "identity": ("its manifest has the SHA-256 {identity}", "SHA-256 ของบัญชีรายชื่อแฟ้มคือ {identity}"),
    "board": (
        "{month}: compare with the notice board {code}; platform key {key}",
        "{month}: เทียบกับป้ายประกาศ {code} กุญแจแพลตฟอร์ม {key}",
    ),
    "not_closed": (
        "{month} is not closed: no statement and no signature stands behind it",
        "{month} ยังไม่ปิด: ไม่มีใบแจ้งยอดและลายเซ็นรับรอง",
    ),
    "more": ("... and {count} more", "... และอีก {count} ข้อ"),
    "nothing_checked": (
        "there was nothing to check, and that proves nothing",
        "ไม่มีสิ่งใดให้ตรวจ จึงพิสูจน์อะไรไม่ได้",
    ),
    "well": ("ALL IS WELL", "ถูกต้องทั้งหมด"),
    "ill": ("NOT PROVED: {count} findings", "พิสูจน์ไม่ได้: พบ {count} ข้อ"),
    "refused": ("NOT A BUNDLE: {reason}", "ไม่ใช่ชุดตรวจสอบ: {reason}"),
}


def say(table: dict[str, tuple[str, str]], name: str, language: str, **values: object) -> str:
    """A sentence of a table in a language, its values put in on one line; an unknown one is its name."""
    pair = table.get(name)
    if pair is None:
        return name
    clean = {key: _one_line(str(value)) for key, value in values.items()}
    return pair[LANGUAGES.index(language)].format_map(_Values(clean))


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _one_line(text: str) -> str:
    """What a stranger wrote cannot end a line here, nor speak to the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:200]
