//! Configurations as Burn saves them: the parameters by name.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error as _, IgnoredAny},
    ser::SerializeMap,
};
use wgloss::{
    AnyLoss, Loss,
    spec::{LossSpec, Value},
};

/// Writes the values of a loss's parameters.
pub fn serialize<S: Serializer>(spec: &LossSpec, values: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (param, value) in spec.params.iter().zip(values) {
        match value {
            Value::Number(number) => map.serialize_entry(param.name, number)?,
            Value::Integer(integer) => map.serialize_entry(param.name, integer)?,
            Value::Flag(flag) => map.serialize_entry(param.name, flag)?,
            Value::Word(word) => map.serialize_entry(param.name, word)?,
        }
    }
    map.end()
}

/// Reads the values of a loss's parameters; of those that are not there, the defaults.
pub fn deserialize<'a, D: Deserializer<'a>>(spec: &'static LossSpec, deserializer: D) -> Result<Vec<Value>, D::Error> {
    let settings = BTreeMap::<String, Setting>::deserialize(deserializer)?;
    let settings: Vec<(String, String)> = settings
        .into_iter()
        .map(|(name, setting)| match setting.text() {
            Some(text) => Ok((name, text)),
            None => {
                Err(D::Error::custom(format!("{}: `{name}` must be a number, true or false, or a word", spec.name)))
            }
        })
        .collect::<Result<_, _>>()?;
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Ok(AnyLoss::of(spec, &settings).map_err(D::Error::custom)?.values())
}

/// A parameter's value before it is known what it has to be.
#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    Flag(bool),
    Number(f64),
    Word(String),
    Other(IgnoredAny),
}

impl Setting {
    fn text(self) -> Option<String> {
        match self {
            Setting::Flag(flag) => Some(flag.to_string()),
            Setting::Number(number) => Some(number.to_string()),
            Setting::Word(word) => Some(word),
            Setting::Other(_) => None,
        }
    }
}
