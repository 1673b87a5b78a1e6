"""Makes examples/data/digits*.csv.gz from scikit-learn's copy of the UCI handwritten digits.

Usage: python3 scripts/make-digits.py path/to/sklearn/datasets/data/digits.csv.gz

The source file has no header: 1,797 rows of 64 pixels (0..16) and the digit. This adds the header `image.0,…,image.63,label` and
writes a fixed, stratified split: 360 rows for testing (each digit in proportion, largest remainders first), 1,437 for training.
Within a digit the rows with the smallest SHA-256 of their number are held out, so the split depends on no random generator.
Rows keep their order and their values. The gzip headers carry no time and no name: the same bytes every time.
"""

import gzip
import hashlib
import sys
from pathlib import Path

SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
TEST_ROWS = 360


def main() -> None:
    packed = Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(packed).hexdigest() != SOURCE_SHA256:
        sys.exit("this is not the file that the split was made from")
    rows = [",".join(str(int(v)) for v in line.split(",")) for line in gzip.decompress(packed).decode().split()]
    labels = [int(row.rsplit(",", 1)[1]) for row in rows]
    assert len(rows) == 1797 and all(len(row.split(",")) == 65 for row in rows)

    share = {d: labels.count(d) * TEST_ROWS / len(rows) for d in range(10)}
    take = {d: int(share[d]) for d in share}
    for d in sorted(share, key=lambda d: (take[d] - share[d], d))[: TEST_ROWS - sum(take.values())]:
        take[d] += 1
    test = set()
    for d in range(10):
        of_digit = [i for i, label in enumerate(labels) if label == d]
        test.update(sorted(of_digit, key=lambda i: hashlib.sha256(str(i).encode()).hexdigest())[: take[d]])

    folder = Path(__file__).resolve().parent.parent / "examples" / "data"
    write(folder / "digits.csv.gz", rows)
    write(folder / "digits-train.csv.gz", [row for i, row in enumerate(rows) if i not in test])
    write(folder / "digits-test.csv.gz", [row for i, row in enumerate(rows) if i in test])


def write(path: Path, rows: list[str]) -> None:
    header = ",".join([f"image.{i}" for i in range(64)] + ["label"])
    text = "\n".join([header, *rows]) + "\n"
    packed = bytearray(gzip.compress(text.encode(), 9, mtime=0))
    packed[9] = 255  # operating system: unknown
    path.write_bytes(packed)
    print(path.name, len(rows), "rows", len(packed), "bytes")


main()
