//! Inputs made from a corpus by mutation, tried against a target for a while.
//!
//! A target tells what it did with an input; an input that makes it do something new is kept and
//! mutated further, so that the search finds its way into a grammar without knowing it.

use std::collections::HashSet;
use std::fs;
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many inputs are tried where no time is asked for.
const FEW: usize = 300;
/// The variable that names how many seconds each target is tried for.
const SECONDS: &str = "FUZZ_SECONDS";
/// The longest input, in bytes.
const LONGEST: usize = 4_096;
/// The longest that one input may take, on a busy machine and without optimisation.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most inputs that are kept.
const POOL: usize = 20_000;

/// Tries the corpus of a target, and then mutations of it. `words` are put in here and there.
pub(crate) fn fuzz(target: &str, words: &[&str], mut run: impl FnMut(&[u8]) -> String) {
    let mut pool = corpus(target);
    let mut seen = HashSet::new();
    for input in &pool {
        seen.insert(guarded(target, input, &mut run));
    }
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut dice = Dice(until.map_or(1, |_| u64::from(std::process::id()) << 20 | 1));
    let mut tried = 0;
    while until.map_or(tried < FEW, |until| Instant::now() < until) {
        let input = mutated(&mut dice, &pool, words);
        if seen.insert(guarded(target, &input, &mut run)) && pool.len() < POOL {
            pool.push(input);
        }
        tried += 1;
    }
    let _ = writeln!(stderr(), "{target}: {tried} inputs, {} different results", seen.len());
}

/// Runs the target; where it fails, says with what.
fn guarded(target: &str, input: &[u8], run: &mut impl FnMut(&[u8]) -> String) -> String {
    let began = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| run(input)));
    let shown = input.escape_ascii();
    match done {
        Ok(result) => {
            assert!(began.elapsed() < PATIENCE, "{target} takes too long for {shown}");
            result
        }
        Err(cause) => {
            let _ = writeln!(stderr(), "{target} fails for {shown}");
            resume_unwind(cause);
        }
    }
}

/// The files of the target's corpus, by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 3, "the corpus is there");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// An input of the pool with one to six changes.
fn mutated(dice: &mut Dice, pool: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = pool[dice.below(pool.len())].clone();
    for _ in 0..=dice.below(6) {
        let (at, end) = (dice.below(input.len() + 1), dice.below(input.len() + 1));
        let range = at.min(end)..at.max(end);
        let word = |dice: &mut Dice| words[dice.below(words.len())].as_bytes().to_vec();
        match dice.below(9) {
            0 => input.insert(at, dice.byte()),
            1 if at < input.len() => input[at] ^= 1 << dice.below(8),
            2 => drop(input.drain(range.start..range.end.min(range.start + 8))),
            3 => drop(input.drain(range)),
            4 | 5 => drop(input.splice(at..at, word(dice))),
            6 => drop(input.splice(range.start..range.end.min(range.start + 8), word(dice))),
            7 => {
                let part = input[range].to_vec();
                drop(input.splice(at..at, part));
            }
            _ => {
                let other = &pool[dice.below(pool.len())];
                let from = dice.below(other.len() + 1);
                let part = other[from..].to_vec();
                drop(input.splice(at.., part));
            }
        }
    }
    input.truncate(LONGEST);
    input
}

/// Numbers that look random (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.roll() >> 33) % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_be_bytes()[0]
    }
}
