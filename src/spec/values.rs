//! The values of a loss's parameters.

use std::fmt;

use super::{LossSpec, Param, Value, Word};
use crate::{Error, drivers::check_spec};

/// The values of a loss's parameters, each keeping its rule.
///
/// The getters by name are what a loss's reference reads its parameters with. They panic, as indexing does, where the
/// loss has no parameter of that name and kind, which the first evaluation of a new loss shows; [`Values::get`] and
/// those that take another value in place of a missing one do not.
///
/// ```
/// use wgloss::{Distance, losses::TRIPLET_MARGIN};
/// let values = TRIPLET_MARGIN.values(&[("margin", "0.5"), ("distance", "cosine")])?;
/// assert_eq!(values.number("margin"), 0.5);
/// assert_eq!(values.word::<Distance>("distance"), Distance::Cosine);
/// assert!(values.get("temperature").is_none());
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone)]
pub struct Values {
    spec: &'static LossSpec,
    values: Vec<Value>,
}

impl Values {
    /// The values, in the order of `spec.params`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value that breaks its rule, [`Error::ParameterCount`] for too few or too many values,
    /// [`Error::Spec`] for a loss that lacks what its driver reads by name.
    pub fn new(spec: &'static LossSpec, values: Vec<Value>) -> Result<Self, Error> {
        check_spec(spec)?;
        if values.len() != spec.params.len() {
            return Err(Error::ParameterCount { loss: spec.name, expected: spec.params.len(), found: values.len() });
        }
        for (param, &value) in spec.params.iter().zip(&values) {
            if !param.rule.allows(value) {
                return Err(param.refused(spec, value));
            }
        }
        Ok(Values { spec, values })
    }

    /// The loss's defaults with `settings` in their place.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`] for a name that the loss does not have, [`Error::RepeatedParameter`] for one that
    /// stands twice, [`Error::Parameter`] for a value that breaks its rule.
    pub(super) fn with_settings(spec: &'static LossSpec, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let mut values = Values::new(spec, spec.params.iter().map(|param| param.default).collect())?;
        for &(name, text) in settings {
            let index =
                spec.params.iter().position(|param| param.name == name).ok_or_else(|| Error::UnknownParameter {
                    loss: spec.name,
                    parameter: name.to_string(),
                    known: spec.params.iter().map(|param| param.name).collect(),
                })?;
            if settings.iter().filter(|(other, _)| *other == name).count() > 1 {
                return Err(Error::RepeatedParameter { loss: spec.name, parameter: spec.params[index].name });
            }
            values.values[index] = spec.params[index].parse(spec, text)?;
        }
        Ok(values)
    }

    /// The loss whose parameters these are.
    pub fn spec(&self) -> &'static LossSpec {
        self.spec
    }

    /// Each parameter with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Param, Value)> + '_ {
        self.spec.params.iter().zip(self.values.iter().copied())
    }

    /// Whether the loss has a parameter of that name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of the parameter of that name, if the loss has one.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.iter().find(|(param, _)| param.name == name).map(|(_, value)| value)
    }

    /// The number of that name, exactly as the kernel gets it.
    ///
    /// # Panics
    /// If the loss has no number of that name.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        as_number(self.get(name)).unwrap_or_else(|| self.has_no("number", name))
    }

    /// The number of that name, or another where the loss has no such parameter.
    pub fn number_or(&self, name: &str, other: f64) -> f64 {
        as_number(self.get(name)).unwrap_or(other)
    }

    /// The whole number of that name.
    ///
    /// # Panics
    /// If the loss has no whole number of that name.
    #[track_caller]
    pub fn integer(&self, name: &str) -> i32 {
        match self.get(name) {
            Some(Value::Integer(i)) => i,
            _ => self.has_no("whole number", name),
        }
    }

    /// The truth value of that name.
    ///
    /// # Panics
    /// If the loss has no true-or-false parameter of that name.
    #[track_caller]
    pub fn flag(&self, name: &str) -> bool {
        as_flag(self.get(name)).unwrap_or_else(|| self.has_no("true-or-false parameter", name))
    }

    /// The truth value of that name, or another where the loss has no such parameter.
    pub fn flag_or(&self, name: &str, other: bool) -> bool {
        as_flag(self.get(name)).unwrap_or(other)
    }

    /// The word of that name.
    ///
    /// # Panics
    /// If the loss has no such word of that name.
    #[track_caller]
    pub fn word<W: Word>(&self, name: &str) -> W {
        as_word(self.get(name)).unwrap_or_else(|| self.has_no(std::any::type_name::<W>(), name))
    }

    /// The word of that name, or another where the loss has no such parameter.
    pub fn word_or<W: Word>(&self, name: &str, other: W) -> W {
        as_word(self.get(name)).unwrap_or(other)
    }

    /// Whether the parameter of that name is that word.
    pub(crate) fn is_word(&self, name: &str, word: &str) -> bool {
        matches!(self.get(name), Some(Value::Word(found)) if found == word)
    }

    #[track_caller]
    fn has_no(&self, kind: &str, name: &str) -> ! {
        let known: Vec<String> =
            self.spec.params.iter().map(|param| format!("{} ({})", param.name, param.rule)).collect();
        let known = if known.is_empty() { "it has none".to_string() } else { format!("it has {}", known.join(", ")) };
        panic!("the parameters of {} have no {kind} called `{name}`: {known}", self.spec.name)
    }
}

/// The loss with its values, as on the command line: `huber delta=0.5`.
impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec.name)?;
        self.iter().try_for_each(|(param, value)| write!(f, " {}={value}", param.name))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({self})")
    }
}

fn as_number(value: Option<Value>) -> Option<f64> {
    if let Some(Value::Number(x)) = value { Some(f64::from(x)) } else { None }
}

fn as_flag(value: Option<Value>) -> Option<bool> {
    if let Some(Value::Flag(flag)) = value { Some(flag) } else { None }
}

fn as_word<W: Word>(value: Option<Value>) -> Option<W> {
    if let Some(Value::Word(word)) = value { W::find(word) } else { None }
}
