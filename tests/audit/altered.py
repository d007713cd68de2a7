"""A bundle taken apart, altered, and packed again, as somebody would who wants it to pass."""

import csv
import io
import json
import zipfile
from hashlib import sha256

from cbt.audit.offline_checks import _canonical

MANIFEST = "manifest.json"


class Box:
    """A bundle's files by name; its tables as rows of text cells, by the names of their columns."""

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        self.manifest = json.loads(self.files.pop(MANIFEST))
        self.rows = {
            name: self._read(name) for name in self.files if name.endswith((".csv", ".jsonl"))
        }
        self.order = {name: list(self._columns(name)) for name in self.rows}

    def _read(self, name):
        text = self.files[name].decode()
        if name.endswith(".jsonl"):
            return [json.loads(line) for line in text.splitlines()]
        return list(csv.DictReader(io.StringIO(text)))

    def _columns(self, name):
        if name.endswith(".jsonl"):
            return ()
        return self.files[name].decode().splitlines()[0].split(",")

    def one(self, table, **cells):
        """The first row of a table with these cells."""
        return next(
            row for row in self.rows[table] if all(str(row[k]) == str(v) for k, v in cells.items())
        )

    def drop(self, table, **cells):
        self.rows[table].remove(self.one(table, **cells))

    def add_to(self, row, column, amount):
        row[column] = type(row[column])(int(row[column]) + amount)

    def text(self, name):
        """A file as it stands now."""
        rows = self.rows.get(name)
        if rows is None:
            return self.files[name]
        out = io.StringIO()
        if name.endswith(".jsonl"):
            for row in rows:
                out.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
        else:
            table = csv.writer(out, lineterminator="\n")
            table.writerow(self.order[name])
            table.writerows([[row[column] for column in self.order[name]] for row in rows])
        return out.getvalue().encode()

    def rechain(self):
        """Every hash computed anew, and all sums of entries, as somebody would who knows the format."""
        previous = self.manifest["head_before"]
        legs = {}
        for leg in self.rows["legs.csv"]:
            legs.setdefault(leg["entry"], []).append(leg)
        for entry in self.rows["entries.csv"]:
            own = legs.get(entry["seq"], [])
            entry["amount"] = str(sum(int(leg["amount"]) for leg in own))
            entry["legs"] = str(len(own))
            entry["previous"] = previous
            told = [(leg["source"], leg["target"], leg["amount"], leg["rule"]) for leg in own]
            text = _canonical(self.manifest["book"], entry, told)
            previous = entry["hash"] = sha256(text.encode()).hexdigest()
        self.manifest["head_after"] = previous
        self.manifest["last_entry"] = int(self.rows["entries.csv"][-1]["seq"])

    def settle_accounts(self):
        """Closings that are again what openings and legs give."""
        held = {row["account"]: row for row in self.rows["accounts.csv"]}
        sums = {code: int(row["opening"]) for code, row in held.items()}
        for leg in self.rows["legs.csv"]:
            for code, amount in (
                (leg["source"], -int(leg["amount"])),
                (leg["target"], int(leg["amount"])),
            ):
                sums[code] += amount if held[code]["side"] == "credit" else -amount
        for code, row in held.items():
            row["closing"] = str(sums[code])

    def write(self, path, *, remake=True):
        """Pack it; `remake` the manifest so that it tells the truth about every file."""
        texts = {name: self.text(name) for name in self.files}
        if remake:
            for name, text in texts.items():
                told = self.manifest["files"].setdefault(name, {"rows": 0})
                told |= {"sha256": sha256(text).hexdigest(), "bytes": len(text)}
                if not name.endswith(".xlsx"):
                    told["rows"] = text.count(b"\n") - name.endswith(".csv")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in texts.items():
                archive.writestr(name, text)
            archive.writestr(MANIFEST, json.dumps(self.manifest))
        return path
