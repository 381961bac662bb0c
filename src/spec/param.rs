//! The parameters of a loss: what each may be, and its value.

use std::fmt;

use super::LossSpec;
use crate::Error;

/// A parameter of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Its name: the field of the Rust type, the key on the command line, the member of the `Params` uniform.
    pub name: &'static str,
    /// Its default.
    pub default: Value,
    /// What it may be.
    pub rule: Rule,
    /// Whether kernels are compiled for its value, or for a number's being 0 or not: for what would cost every kernel
    /// too much.
    pub compiled: bool,
}

impl Param {
    /// A number.
    pub const fn number(name: &'static str, default: f32, rule: Rule) -> Self {
        Param { name, default: Value::Number(default), rule, compiled: false }
    }

    /// True or false.
    pub const fn flag(name: &'static str, default: bool) -> Self {
        Param { name, default: Value::Flag(default), rule: Rule::Flag, compiled: false }
    }

    /// An integer.
    pub const fn integer(name: &'static str, default: i32, rule: Rule) -> Self {
        Param { name, default: Value::Integer(default), rule, compiled: false }
    }

    /// One of several words.
    pub const fn word(name: &'static str, default: &'static str, words: &'static [&'static str]) -> Self {
        Param { name, default: Value::Word(default), rule: Rule::Word(words), compiled: false }
    }

    /// The parameter with kernels of their own for its values.
    pub const fn compiled(self) -> Self {
        Param { compiled: true, ..self }
    }

    /// Its name in kernels: where WGSL keeps the word for itself, with an underscore behind it.
    pub(crate) fn member(&self) -> String {
        let is_reserved = wgpu::naga::keywords::wgsl::RESERVED.contains(&self.name);
        format!("{}{}", self.name, if is_reserved { "_" } else { "" })
    }

    pub(super) fn parse(&self, spec: &LossSpec, text: &str) -> Result<Value, Error> {
        let parsed = match self.rule {
            Rule::Flag => text.to_ascii_lowercase().parse().ok().map(Value::Flag),
            Rule::Integer | Rule::Natural | Rule::OneOf(_) => text.parse().ok().map(Value::Integer),
            Rule::Word(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| Value::Word(word))
            }
            _ => text.parse().ok().map(Value::Number),
        };
        match parsed {
            Some(value) if self.rule.allows(value) => Ok(value),
            _ => Err(self.refused(spec, text)),
        }
    }

    /// The 32-bit word that stands for a value in the `Params` uniform.
    pub(crate) fn uniform(&self, value: Value) -> u32 {
        match (value, self.rule) {
            (Value::Number(x), _) => x.to_bits(),
            (Value::Integer(i), _) => i.cast_unsigned(),
            (Value::Flag(flag), _) => u32::from(flag),
            (Value::Word(word), Rule::Word(words)) => words.iter().take_while(|other| **other != word).count() as u32,
            (Value::Word(word), rule) => unreachable!("{word} does not keep the rule {rule}"),
        }
    }

    /// What a kernel is compiled for: the value, or for a number whether it is 0 (0) or not (1).
    pub(crate) fn compiled_value(&self, value: Value) -> u32 {
        match value {
            Value::Number(x) => u32::from(x != 0.0),
            other => self.uniform(other),
        }
    }

    pub(super) fn refused(&self, spec: &LossSpec, found: impl fmt::Display) -> Error {
        Error::Parameter { loss: spec.name, parameter: self.name, rule: self.rule, found: found.to_string() }
    }
}

/// What a parameter may be. Numbers are always finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any finite number.
    Finite,
    /// Above 0.
    Positive,
    /// 0 or above.
    NonNegative,
    /// From 0 to 1.
    Unit,
    /// From 0 to below ½.
    BelowHalf,
    /// Above 0, at most 1.
    Part,
    /// `true` or `false`.
    Flag,
    /// A whole number that an i32 holds.
    Integer,
    /// A whole number of at least 0 that an i32 holds.
    Natural,
    /// One of these whole numbers.
    OneOf(&'static [i32]),
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Rule {
    /// Whether the value keeps the rule.
    pub fn allows(self, value: Value) -> bool {
        match (self, value) {
            (Rule::Flag, Value::Flag(_)) | (Rule::Integer, Value::Integer(_)) => true,
            (Rule::Natural, Value::Integer(i)) => i >= 0,
            (Rule::OneOf(allowed), Value::Integer(i)) => allowed.contains(&i),
            (Rule::Word(words), Value::Word(word)) => words.contains(&word),
            (Rule::Flag | Rule::Integer | Rule::Natural | Rule::OneOf(_) | Rule::Word(_), _)
            | (_, Value::Flag(_) | Value::Integer(_) | Value::Word(_)) => false,
            (rule, Value::Number(x)) => {
                x.is_finite()
                    && match rule {
                        Rule::Positive => x > 0.0,
                        Rule::NonNegative => x >= 0.0,
                        Rule::Unit => (0.0..=1.0).contains(&x),
                        Rule::BelowHalf => (0.0..0.5).contains(&x),
                        Rule::Part => x > 0.0 && x <= 1.0,
                        _ => true,
                    }
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Finite => "a finite number",
            Rule::Positive => "a finite number above 0",
            Rule::NonNegative => "a finite number of at least 0",
            Rule::Unit => "a number from 0 to 1",
            Rule::BelowHalf => "a number from 0 to below 0.5",
            Rule::Part => "a number above 0, at most 1",
            Rule::Flag => "true or false",
            Rule::Integer => "a 32-bit whole number",
            Rule::Natural => "a 32-bit whole number of at least 0",
            Rule::OneOf(allowed) => return f.write_str(&alternatives(allowed)),
            Rule::Word(words) => return f.write_str(&alternatives(words)),
        })
    }
}

/// The items as text, `or` before the last.
fn alternatives<T: fmt::Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    match texts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => texts.concat(),
    }
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f32),
    /// A whole number.
    Integer(i32),
    /// True or false.
    Flag(bool),
    /// One of the words of its rule.
    Word(&'static str),
}

impl Value {
    /// The WGSL type of the value.
    pub(crate) const fn wgsl_type(self) -> &'static str {
        match self {
            Value::Number(_) => "f32",
            Value::Integer(_) => "i32",
            Value::Flag(_) | Value::Word(_) => "u32",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Below 1e-4 the plain form is a row of zeros.
            Value::Number(x) if *x != 0.0 && x.abs() < 1e-4 => write!(f, "{x:e}"),
            Value::Number(x) => write!(f, "{x}"),
            Value::Integer(i) => write!(f, "{i}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Word(word) => f.write_str(word),
        }
    }
}

impl From<f32> for Value {
    fn from(x: f32) -> Self {
        Value::Number(x)
    }
}

impl From<i32> for Value {
    fn from(i: i32) -> Self {
        Value::Integer(i)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<&'static str> for Value {
    fn from(word: &'static str) -> Self {
        Value::Word(word)
    }
}
