#![doc = include_str!("../README.md")]

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

/// The fingerprint of some bytes.
pub fn of(bytes: impl AsRef<[u8]>) -> String {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add(bytes);
    fingerprint.hex()
}

/// The first 64 bits of a fingerprint as a signed number: the digest of a row, where a whole one would be longer than the row.
pub fn first_64_bits(bytes: impl AsRef<[u8]>) -> i64 {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    let mut first = [0; 8];
    first.copy_from_slice(&whole[..8]);
    i64::from_be_bytes(first)
}

/// The first 128 bits of a fingerprint: what stands for a key of which there are millions.
pub fn first_128_bits(bytes: impl AsRef<[u8]>) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    let mut first = [0; 16];
    first.copy_from_slice(&whole[..16]);
    first
}

/// The fingerprint of everything that a stream holds.
pub fn of_stream(stream: impl Read) -> io::Result<String> {
    let mut hashed = Hashed::new(stream);
    io::copy(&mut hashed, &mut io::sink())?;
    Ok(hashed.hex())
}

/// A fingerprint that is made bit by bit.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// The fingerprint of nothing yet.
    pub fn new() -> Fingerprint {
        Fingerprint::default()
    }

    /// Adds content.
    pub fn add(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// 64 hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A stream that knows the fingerprint of what went through it.
#[derive(Debug)]
pub struct Hashed<T> {
    stream: T,
    fingerprint: Fingerprint,
}

impl<T> Hashed<T> {
    /// Starts with nothing.
    pub fn new(stream: T) -> Hashed<T> {
        Hashed { stream, fingerprint: Fingerprint::new() }
    }

    /// The fingerprint of what went through so far.
    pub fn hex(&self) -> String {
        self.fingerprint.clone().hex()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.fingerprint.add(&buffer[..n]);
        Ok(n)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.fingerprint.add(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The fingerprint of a stream that is read on another thread.
#[derive(Clone, Debug, Default)]
pub struct SharedFingerprint(Arc<Mutex<Fingerprint>>);

impl SharedFingerprint {
    /// The stream, watched.
    pub fn of<R: Read>(&self, stream: R) -> Watched<R> {
        Watched { stream, fingerprint: self.clone() }
    }

    /// The fingerprint of what was read so far.
    pub fn hex(&self) -> String {
        self.locked().clone().hex()
    }

    /// A thread that broke down while it added bytes has ended the program.
    fn locked(&self) -> MutexGuard<'_, Fingerprint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream of which somebody wants to know the fingerprint.
#[derive(Debug)]
pub struct Watched<R> {
    stream: R,
    fingerprint: SharedFingerprint,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.fingerprint.locked().add(&buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of("abc"), abc);
        assert_eq!(super::first_128_bits("abc")[..3], [0xba, 0x78, 0x16]);
        assert_eq!(super::of_stream("abc".as_bytes()).unwrap(), abc);
    }
}
