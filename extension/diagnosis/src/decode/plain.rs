//! A function's log record in the few shapes in which it comes on Lambda, without decoding it.
//!
//! What is read here is read the same by serde_json; what is not may be anything, and serde_json says what.

use crate::Timestamp;
use crate::matching::Alphabet;
use serde::de::IgnoredAny;
use std::ops::Range;

/// A sound record of type `function`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainRecord {
    /// When it was made.
    pub(crate) time: Timestamp,
    /// Where the value of its `record` stands, with its quotes if it is a string.
    pub(crate) value: Range<usize>,
    /// Whether that is a string.
    pub(crate) is_text: bool,
    /// Where the record ends.
    pub(crate) end: usize,
}

impl PlainRecord {
    /// The record that begins `at` this byte. None where it is no object of `time`, `type` and `record`
    /// alone, each once, in any order; where its time is not written as Lambda writes it; where its text has
    /// an escape of a character of `alphabet`, or of half a character.
    // By itself, as it would be a part of what is built to be small where it is called.
    #[inline(never)]
    pub(crate) fn read(
        text: &str,
        at: usize,
        minute: &mut Minute,
        alphabet: Alphabet,
    ) -> Option<Self> {
        let mut input = Input { text, at };
        let (mut time, mut is_function, mut value) = (None, false, None);
        input.take(b"{")?;
        loop {
            input.skip_white_space();
            if time.is_none() && input.take(b"\"time\"").is_some() {
                input.colon()?;
                time = Some(input.time(minute)?);
            } else if !is_function && input.take(b"\"type\"").is_some() {
                input.colon()?;
                input.take(b"\"function\"")?;
                is_function = true;
            } else if value.is_none() && input.take(b"\"record\"").is_some() {
                input.colon()?;
                let start = input.at;
                let is_text = input.value(alphabet)?;
                value = Some((start..input.at, is_text));
            } else {
                return None;
            }
            input.skip_white_space();
            if input.take(b",").is_none() {
                break;
            }
        }
        input.take(b"}")?;
        let (value, is_text) = value.filter(|_| is_function)?;
        Some(Self { time: time?, value, is_text, end: input.at })
    }
}

/// The minute that a time was last read in: most records are of the same one as the one before.
#[derive(Debug, Default)]
pub(crate) struct Minute {
    /// `2026-03-01T12:00`
    text: Option<[u8; 16]>,
    began_at: Timestamp,
}

impl Minute {
    /// A time as Lambda writes it: `2026-03-01T12:00:00.000Z`.
    fn time(&mut self, text: &[u8; 24]) -> Option<Timestamp> {
        let (minute, rest) = text.split_first_chunk::<16>()?;
        let &[b':', s0, s1, b'.', m0, m1, m2, b'Z'] = rest else { return None };
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
        let seconds = digit(s0)? * 10 + digit(s1)?;
        let ms = digit(m0)? * 100 + digit(m1)? * 10 + digit(m2)?;
        if seconds > 59 {
            return None;
        }
        if self.text.as_ref().map(word) != Some(word(minute)) {
            let mut began_at = *text;
            began_at[16..].copy_from_slice(b":00.000Z");
            self.began_at = Timestamp::parse(str::from_utf8(&began_at).ok()?)?;
            self.text = Some(*minute);
        }
        Some(self.began_at.plus_ms(seconds * 1_000 + ms))
    }
}

struct Input<'a> {
    text: &'a str,
    at: usize,
}

impl Input<'_> {
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn take<const N: usize>(&mut self, what: &[u8; N]) -> Option<()> {
        (word(self.rest().first_chunk::<N>()?) == word(what)).then(|| self.at += N)
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.rest().first() {
            self.at += 1;
        }
    }

    fn colon(&mut self) -> Option<()> {
        self.skip_white_space();
        self.take(b":")?;
        self.skip_white_space();
        Some(())
    }

    fn time(&mut self, minute: &mut Minute) -> Option<Timestamp> {
        self.take(b"\"")?;
        let time = minute.time(self.rest().first_chunk()?)?;
        self.at += 24;
        self.take(b"\"")?;
        Some(time)
    }

    /// Whether it is a string.
    fn value(&mut self, alphabet: Alphabet) -> Option<bool> {
        match self.rest().first()? {
            b'"' => self.string(alphabet).map(|()| true),
            b'{' | b'[' => {
                let rest = self.text.get(self.at..)?;
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
                values.next()?.ok()?;
                self.at += values.byte_offset();
                Some(false)
            }
            _ => None,
        }
    }

    fn string(&mut self, alphabet: Alphabet) -> Option<()> {
        self.at += 1;
        loop {
            self.at = next_special(self.text.as_bytes(), self.at)?;
            let unit = match *self.rest() {
                [b'"', ..] => {
                    self.at += 1;
                    return Some(());
                }
                [b'\\', b'u', a, b, c, d, ..] => {
                    self.at += 6;
                    [a, b, c, d].iter().try_fold(0, |unit: u16, digit| {
                        let digit = char::from(*digit).to_digit(16)?;
                        Some(unit << 4 | u16::try_from(digit).ok()?)
                    })?
                }
                [b'\\', escaped, ..] => {
                    self.at += 2;
                    u16::from(match escaped {
                        b'"' | b'\\' | b'/' => escaped,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        _ => return None,
                    })
                }
                _ => return None,
            };
            if matches!(unit, 0xd800..=0xdfff) || alphabet.may_hold(unit) {
                return None;
            }
        }
    }
}

/// At most 16 bytes as one number: the comparison of two is no call, as that of slices is where code is built
/// for size.
fn word<const N: usize>(bytes: &[u8; N]) -> u128 {
    const { assert!(N <= 16) };
    let mut word = [0; 16];
    word[..N].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

/// Where the next quote, backslash or control character stands, eight bytes at a time.
fn next_special(bytes: &[u8], mut at: usize) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    // The highest bit of each byte that is below `n`, and perhaps of bytes behind the first such.
    let below = |word: u64, n: u8| word.wrapping_sub(EACH * u64::from(n)) & !word & HIGH;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let (words, _) = bytes.get(at..)?.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (EACH * u64::from(b'"')), 1);
        let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
        let special = quote | backslash | below(word, 0x20);
        if special != 0 {
            return Some(at + special.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(is_special).map(|found| at + found)
}

#[cfg(test)]
mod tests;
