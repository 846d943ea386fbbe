//! One contract, every store: each check of `contract` runs against memory and local disk always, and against the
//! real servers of `tests/servers` when asked for (`cargo test -p loom-storage -- --include-ignored`).
//!
//! A test of a real server fails when its environment is absent; it never passes for want of a server.

#![expect(clippy::unwrap_used, reason = "tests")]

mod backends;
mod contract;
mod disk;
mod faults;
mod refusals;

/// Makes a test of every check for each of the backends, each with the attributes given.
macro_rules! contract {
    ($($backend:ident $attributes:tt)*) => {
        $(
            mod $backend {
                contract!(@each $backend $attributes:
                    put_new_refuses_a_key_that_is_taken_and_leaves_the_old_object
                    put_replaces_the_whole_object
                    a_put_is_listed_at_once_with_its_size_and_time
                    a_listing_takes_whole_segments_only_and_is_sorted
                    a_part_of_an_object_is_read_exactly_or_refused
                    what_is_not_there_is_not_found_and_nothing_is_below_it
                    deleting_twice_succeeds
                    odd_characters_in_keys_come_back_as_they_were
                    an_empty_object_is_an_object
                    a_pack_of_33_mib_comes_back_whole
                    of_many_writers_of_one_new_key_one_succeeds
                    ten_thousand_keys_are_listed
                );
            }
        )*
    };
    (@each $backend:ident $attributes:tt: $($check:ident)*) => {
        $(contract!(@test $backend $attributes $check);)*
    };
    (@test $backend:ident [$($attribute:meta)?] $check:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $(#[$attribute])?
        async fn $check() {
            let place = crate::backends::$backend(stringify!($check));
            crate::contract::$check(&place.storage).await;
        }
    };
}

contract! {
    memory []
    local_disk []
    s3 [ignore = "needs the servers of tests/servers"]
    google [ignore = "needs the servers of tests/servers"]
    azure [ignore = "needs the servers of tests/servers"]
}
