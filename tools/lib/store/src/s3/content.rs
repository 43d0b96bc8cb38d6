use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use aws_sdk_s3::primitives::{ByteStream, Length};
use bytes::Bytes;
use failure::{Failure, IoContext, Outcome};
use md5::{Digest, Md5};

/// What is larger goes through a file, so that memory stays small.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// The most that S3 takes in one request, and only one request makes an object appear at once.
const MOST_BYTES: u64 = 5 << 30;

/// What is to be put, with its length known: it can be sent again, and what was cut on its way here never becomes an object.
pub(crate) enum Content {
    Memory(Bytes),
    /// A file without a name: a program that is killed leaves nothing.
    File(File, u64),
}

impl Content {
    pub(crate) fn read(place: &str, stream: &mut dyn Read) -> Outcome<Content> {
        Content::read_up_to(place, stream, IN_MEMORY_BYTES, MOST_BYTES)
    }

    fn read_up_to(place: &str, stream: &mut dyn Read, in_memory: u64, most: u64) -> Outcome<Content> {
        let mut start = Vec::new();
        (&mut *stream).take(in_memory).read_to_end(&mut start).place(place)?;
        if (start.len() as u64) < in_memory {
            return Ok(Content::Memory(start.into()));
        }
        let aside =
            |error| Failure::io(format!("{place}: aside in {}", std::env::temp_dir().display()), &error);
        let mut file = tempfile::tempfile().map_err(aside)?;
        file.write_all(&start).map_err(aside)?;
        let rest =
            io::copy(&mut stream.take((most + 1).saturating_sub(in_memory)), &mut file).map_err(aside)?;
        file.flush().map_err(aside)?;
        let length = in_memory + rest;
        if length > most {
            return Err(Failure::data(format!(
                "{place}: S3 takes at most {} GiB in one piece (split it)",
                most >> 30
            )));
        }
        Ok(Content::File(file, length))
    }

    pub(crate) fn length_bytes(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File(_, length) => *length,
        }
    }

    pub(crate) fn md5(&self, place: &str) -> Outcome<[u8; 16]> {
        let mut md5 = Md5::new();
        match self {
            Content::Memory(bytes) => md5.update(bytes),
            Content::File(file, _) => {
                let mut file = File::open(again(file)).place(place)?;
                let mut buffer = vec![0; 256 << 10];
                loop {
                    match file.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(n) => md5.update(&buffer[..n]),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error).place(place),
                    }
                }
            }
        }
        Ok(md5.finalize().into())
    }

    pub(crate) async fn stream(&self, place: &str) -> Outcome<ByteStream> {
        match self {
            Content::Memory(bytes) => Ok(ByteStream::from(bytes.clone())),
            Content::File(file, length) => {
                let stream =
                    ByteStream::read_from().path(again(file)).length(Length::Exact(*length)).build().await;
                stream.map_err(|error| Failure::io(place, &io::Error::other(error)))
            }
        }
    }
}

/// Where an open file is opened again, to be read from its beginning.
fn again(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::{Content, again};

    #[test]
    fn small_things_stay_in_memory_and_what_is_too_large_is_refused() {
        let read = |length: usize| Content::read_up_to("k", &mut &vec![7; length][..], 10, 100);
        assert!(matches!(read(0).unwrap(), Content::Memory(bytes) if bytes.is_empty()));
        assert!(matches!(read(9).unwrap(), Content::Memory(bytes) if bytes.len() == 9));
        for length in [10, 11, 100] {
            let Content::File(file, said) = read(length).unwrap() else { panic!("{length}") };
            assert_eq!((said, std::fs::read(again(&file)).unwrap().len()), (length as u64, length));
            assert_eq!(file.metadata().unwrap().nlink(), 0, "it has no name");
        }
        assert_eq!(read(101).err().map(|failure| failure.kind()), Some(failure::Kind::Data));
    }
}
