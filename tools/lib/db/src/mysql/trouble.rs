//! What a server's errors mean: whether to try again, and what to tell the user.

use std::io;

use ::mysql::{DriverError, Error};
use failure::{Failure, Kind};

use super::address::Address;

/// Whether running a transaction again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another transaction won; ours was undone.
    Deadlock,
    /// The server or the way to it is gone, or has no room for one more connection.
    Away,
    /// It would fail again.
    Lasting,
}

/// Server error codes, by their names in the manual.
mod code {
    pub(super) const DISK_FULL: u16 = 1021;
    pub(super) const GET_ERRNO: u16 = 1030;
    pub(super) const CON_COUNT: u16 = 1040;
    pub(super) const OUT_OF_RESOURCES: u16 = 1041;
    pub(super) const DBACCESS_DENIED: u16 = 1044;
    pub(super) const ACCESS_DENIED: u16 = 1045;
    pub(super) const BAD_NULL: u16 = 1048;
    pub(super) const BAD_DB: u16 = 1049;
    pub(super) const SERVER_SHUTDOWN: u16 = 1053;
    pub(super) const DUP_ENTRY: u16 = 1062;
    pub(super) const RECORD_FILE_FULL: u16 = 1114;
    pub(super) const HOST_NOT_PRIVILEGED: u16 = 1130;
    pub(super) const TABLEACCESS_DENIED: u16 = 1142;
    pub(super) const COLUMNACCESS_DENIED: u16 = 1143;
    pub(super) const NOT_ALLOWED_COMMAND: u16 = 1148;
    pub(super) const NET_READ_ERROR: u16 = 1158;
    pub(super) const NET_READ_INTERRUPTED: u16 = 1159;
    pub(super) const NEW_ABORTING_CONNECTION: u16 = 1184;
    pub(super) const TOO_MANY_USER_CONNECTIONS: u16 = 1203;
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const LOCK_DEADLOCK: u16 = 1213;
    pub(super) const SPECIFIC_ACCESS_DENIED: u16 = 1227;
    pub(super) const WARN_DATA_OUT_OF_RANGE: u16 = 1264;
    pub(super) const TRUNCATED_WRONG_VALUE: u16 = 1366;
    pub(super) const TABLE_DEF_CHANGED: u16 = 1412;
    pub(super) const QUERY_INTERRUPTED: u16 = 1317;
    pub(super) const DATA_TOO_LONG: u16 = 1406;
    pub(super) const SIGNAL_EXCEPTION: u16 = 1644;
    pub(super) const ACCESS_DENIED_NO_PASSWORD: u16 = 1698;
    pub(super) const CONNECTION_KILLED: u16 = 1927;
    pub(super) const SECURE_TRANSPORT_REQUIRED: u16 = 3159;
    pub(super) const CHECK_CONSTRAINT_VIOLATED: u16 = 3819;
    pub(super) const CLIENT_LOCAL_FILES_DISABLED: u16 = 3948;
    pub(super) const CONSTRAINT_FAILED: u16 = 4025;
    pub(super) const CLIENT_INTERACTION_TIMEOUT: u16 = 4031;
    pub(super) const LOAD_INFILE_CAPABILITY_DISABLED: u16 = 4166;
}

/// Errors that say: this server (or a proxy in front of it) takes no local infile.
pub(super) fn refuses_infile(error: &Error) -> bool {
    let refusals =
        [code::NOT_ALLOWED_COMMAND, code::CLIENT_LOCAL_FILES_DISABLED, code::LOAD_INFILE_CAPABILITY_DISABLED];
    matches!(error, Error::MySqlError(error) if refusals.contains(&error.code))
}

pub(super) fn of(error: &Error) -> Trouble {
    match error {
        Error::MySqlError(error) => match error.code {
            // The last: another table took the place of the one that the transaction first saw.
            code::LOCK_DEADLOCK | code::LOCK_WAIT_TIMEOUT | code::TABLE_DEF_CHANGED => Trouble::Deadlock,
            code::CON_COUNT
            | code::OUT_OF_RESOURCES
            | code::SERVER_SHUTDOWN
            | code::NET_READ_ERROR
            | code::NET_READ_INTERRUPTED
            | code::NEW_ABORTING_CONNECTION
            | code::TOO_MANY_USER_CONNECTIONS
            // MySQL says so before it closes a session that was idle for long.
            | code::CLIENT_INTERACTION_TIMEOUT
            | code::CONNECTION_KILLED => Trouble::Away,
            _ => Trouble::Lasting,
        },
        _ if tls(error).is_some() => Trouble::Lasting,
        Error::IoError(error) => match error.kind() {
            // The name of the host, a certificate file.
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => {
                Trouble::Lasting
            }
            _ => Trouble::Away,
        },
        Error::CodecError(_) => Trouble::Away,
        Error::DriverError(DriverError::CouldNotConnect(_)) => Trouble::Away,
        Error::DriverError(
            DriverError::ConnectTimeout | DriverError::Timeout | DriverError::UnexpectedPacket,
        ) => Trouble::Away,
        _ => Trouble::Lasting,
    }
}

/// What to tell the user.
pub(super) fn failure(address: &Address, error: &Error) -> Failure {
    let (exit, remedy) = match error {
        Error::MySqlError(server) if server.code == code::ACCESS_DENIED && !address.encrypted => {
            // What MariaDB says where TLS is required.
            (
                Kind::Denied,
                " (the user is in --db, the password in FAIRWAY_DB_PASSWORD or FAIRWAY_DB_PASSWORD_FILE; does \
                             the server want TLS? add ?ssl-mode=verify-identity&ssl-ca=FILE to --db)",
            )
        }
        Error::MySqlError(server) => meaning(server.code, &server.message),
        Error::TlsError(_) => (Kind::Config, NOT_TRUSTED),
        _ if tls(error).is_some() => (Kind::Config, NOT_TRUSTED),
        Error::DriverError(DriverError::TlsNotSupported) => {
            (Kind::Config, " (the server has no TLS; ssl-mode=disabled, if that is right)")
        }
        _ if of(error) == Trouble::Away => (Kind::Unavailable, " (run it again when the server is back)"),
        _ => (Kind::Config, ""),
    };
    Failure::new(exit, format!("{}: {}{remedy}", address.name, words(error)))
}

/// The same in few words, while there is still hope.
pub(super) fn short(address: &Address, error: &Error) -> String {
    format!("{}: {}", address.name, words(error))
}

const NOT_TRUSTED: &str = " (ssl-ca=FILE names the authority that signed the server's certificate; its name must be the \
                           host's)";

fn meaning(code: u16, message: &str) -> (Kind, &'static str) {
    match code {
        code::ACCESS_DENIED
        | code::ACCESS_DENIED_NO_PASSWORD
        | code::DBACCESS_DENIED
        | code::HOST_NOT_PRIVILEGED => (
            Kind::Denied,
            " (the user is in --db, the password in FAIRWAY_DB_PASSWORD or FAIRWAY_DB_PASSWORD_FILE)",
        ),
        code::TABLEACCESS_DENIED | code::COLUMNACCESS_DENIED | code::SPECIFIC_ACCESS_DENIED => (
            Kind::Denied,
            " (the user needs SELECT, INSERT, UPDATE, DELETE, CREATE and CREATE TEMPORARY TABLES)",
        ),
        code::BAD_DB => (Kind::Config, " (make it first: CREATE DATABASE … CHARACTER SET utf8mb4)"),
        code::SECURE_TRANSPORT_REQUIRED => {
            (Kind::Config, " (add ?ssl-mode=verify-identity&ssl-ca=FILE to --db)")
        }
        code::DISK_FULL | code::RECORD_FILE_FULL => {
            (Kind::Io, " (nothing of this transaction was kept; make room and run again)")
        }
        // "Got error 28 from storage engine": ENOSPC.
        code::GET_ERRNO if message.contains("28") => (
            Kind::Io,
            " (the server's disk is full; nothing of this transaction was kept; make room and run again)",
        ),
        code::LOCK_DEADLOCK | code::LOCK_WAIT_TIMEOUT | code::TABLE_DEF_CHANGED => {
            (Kind::Unavailable, " (other programs are writing; try again)")
        }
        code::CON_COUNT | code::TOO_MANY_USER_CONNECTIONS => (Kind::Unavailable, " (try again later)"),
        code::QUERY_INTERRUPTED => (Kind::Unavailable, " (somebody stopped it; run it again)"),
        code::DUP_ENTRY
        | code::BAD_NULL
        | code::DATA_TOO_LONG
        | code::SIGNAL_EXCEPTION
        | code::CHECK_CONSTRAINT_VIOLATED
        | code::CONSTRAINT_FAILED
        | code::WARN_DATA_OUT_OF_RANGE
        | code::TRUNCATED_WRONG_VALUE => (Kind::Data, ""),
        code::OUT_OF_RESOURCES
        | code::SERVER_SHUTDOWN
        | code::NET_READ_ERROR
        | code::NET_READ_INTERRUPTED
        | code::NEW_ABORTING_CONNECTION
        | code::CONNECTION_KILLED => (Kind::Unavailable, " (run it again when the server is back)"),
        _ => (Kind::Config, ""),
    }
}

/// The error in one line, without the driver's wrapping.
pub(super) fn words(error: &Error) -> String {
    match (error, io_error(error)) {
        (Error::MySqlError(error), _) => format!("{} (server error {})", error.message, error.code),
        (_, Some(error)) => error.to_string(),
        (other, None) => other.to_string(),
    }
}

/// The error of a handshake that failed: it comes inside an I/O error.
fn tls(error: &Error) -> Option<&rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

/// What went wrong on the way, which may be inside what is wrong with a packet.
fn io_error(error: &Error) -> Option<&io::Error> {
    match error {
        Error::IoError(error) => Some(error),
        Error::CodecError(error) => std::error::Error::source(error)?.downcast_ref(),
        _ => None,
    }
}
