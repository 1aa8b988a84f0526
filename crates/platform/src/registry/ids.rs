//! Identifiers of requests: unique and in order of time, made without asking the system for random numbers each time.

use septet_learn::bootstrap::SplitMix64;
use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use uuid::{Builder, Uuid};

thread_local! {
    /// Each thread begins where the system's random numbers put it.
    static NUMBERS: RefCell<SplitMix64> = RefCell::new(SplitMix64::new(RandomState::new().hash_one(std::thread::current().id())));
}

/// A UUID of version 7 (RFC 9562): milliseconds since 1970 and 74 random bits. Nobody need guess it to be harmed: it is no secret.
pub fn fresh_id() -> Uuid {
    let (high, low) = NUMBERS.with_borrow_mut(|numbers| (numbers.next_u64(), numbers.next_u64()));
    let mut random = [0; 10];
    random[..8].copy_from_slice(&high.to_le_bytes());
    random[8..].copy_from_slice(&low.to_le_bytes()[..2]);
    let millis = crate::registry::clock::now_micros().unsigned_abs() / 1_000;
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Microseconds since 1970 UTC, of a text that is a UUID of version 7; its time is in whole milliseconds.
pub fn time_of_id(id: &str) -> Option<i64> {
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn identifiers_of_many_threads_differ_and_tell_their_time() {
        let made = || (0..20_000).map(|_| fresh_id()).collect::<Vec<_>>();
        let before = crate::registry::clock::now_micros() / 1_000;
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(made)).collect();
        let all: Vec<Uuid> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let after = crate::registry::clock::now_micros() / 1_000;
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 80_000);
        for id in all {
            let millis = time_of_id(&id.to_string()).unwrap() / 1_000;
            assert!((before..=after).contains(&millis) && id.get_version_num() == 7, "{id}");
        }
    }
}
