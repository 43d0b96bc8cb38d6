# Another value in one cell of a database, or a row less, as a damaged page that is still well-formed has it. What was done is printed.
import sqlite3
import struct
import sys

path, (table, row, column, kind, bit) = sys.argv[1], map(int, sys.argv[2:])
database = sqlite3.connect(path)
tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
tables = [name for name in tables if database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]]
table = tables[table % len(tables)]
described = database.execute(f'PRAGMA table_info("{table}")').fetchall()
keys = [name for _, name, _, _, _, is_key in described if is_key]
is_key = " AND ".join(f'"{key}" = ?' for key in keys)
rows = database.execute(f'SELECT * FROM "{table}" ORDER BY {", ".join(keys)}').fetchall()
values = dict(zip([name for _, name, *_ in described], rows[row % len(rows)]))
key = [values[name] for name in keys]
column = list(values)[column % len(values)]
value = values[column]
if kind == 0:
    done = f"without {key}"
    database.execute(f'DELETE FROM "{table}" WHERE {is_key}', key)
else:
    done = f"{column} of {key}, which was {value!r}, bit {bit}"
    if isinstance(value, str) and value:
        text = bytearray(value.encode())
        text[bit // 8 % len(text)] ^= 1 << bit % 8
        value = bytes(text)
    elif isinstance(value, int):
        value ^= 1 << bit % 16
    elif isinstance(value, float):
        (bits,) = struct.unpack("<q", struct.pack("<d", value))
        (value,) = struct.unpack("<d", struct.pack("<q", bits ^ 1 << bit % 63))
    elif value is None:
        value = bit
    cast = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    database.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = {cast} WHERE {is_key}', [value, *key])
database.commit()
print(f"{table} {done}")
