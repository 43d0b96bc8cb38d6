//! The bytes that mean something to CSV, found 64 at a time.

use wide::u8x16;

/// A bit for each byte of a chunk: bit 0 is its first byte.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) commas: u64,
    pub(crate) newlines: u64,
    pub(crate) returns: u64,
    pub(crate) quotes: u64,
}

pub(crate) const CHUNK: usize = 64;

impl Marks {
    pub(crate) fn of(chunk: &[u8; CHUNK]) -> Marks {
        let mut marks = Marks::default();
        let (pieces, _) = chunk.as_chunks::<16>();
        for (i, piece) in pieces.iter().enumerate() {
            let piece = u8x16::new(*piece);
            let places = |byte| u64::from(piece.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * i);
            marks.commas |= places(b',');
            marks.newlines |= places(b'\n');
            marks.returns |= places(b'\r');
            marks.quotes |= places(b'"');
        }
        marks
    }
}

/// Bit n of the result is the parity of bits 0 to n: from each odd bit on, up to the next, all are set.
pub(crate) fn between(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ (bits << shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_mark_is_found() {
        for at in 0..CHUNK {
            let mut chunk = [b'x'; CHUNK];
            for (byte, found) in [
                (b',', (|marks| marks.commas) as fn(Marks) -> u64),
                (b'\n', |marks| marks.newlines),
                (b'\r', |marks| marks.returns),
                (b'"', |marks| marks.quotes),
            ] {
                chunk[at] = byte;
                assert_eq!(found(Marks::of(&chunk)), 1 << at);
            }
            chunk[at] = b'x';
            let none = Marks::of(&chunk);
            assert_eq!(none.commas | none.newlines | none.returns | none.quotes, 0);
        }
    }

    #[test]
    fn between_two_quotes_is_inside() {
        assert_eq!(between(0b0100_0010), 0b0011_1110);
        assert_eq!(between(1 << 63), 1 << 63);
    }
}
