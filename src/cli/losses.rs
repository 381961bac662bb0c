//! The losses of the catalogue, as the command line names them.

use wgloss::{
    losses,
    spec::{Family, LossSpec, Param, Value},
};

/// The losses of a family, in the order of the catalogue.
pub fn of_family(family: Family) -> impl Iterator<Item = &'static LossSpec> {
    losses::ALL.iter().copied().filter(move |spec| spec.family == family)
}

/// A parameter with its value, as on the command line.
pub fn setting(param: &Param, value: Value) -> String {
    format!("{}={value}", param.name)
}

/// A loss with the parameters that are set, as [`wgloss::AnyLoss`] writes all of them.
pub fn named<'a>(name: &str, settings: impl IntoIterator<Item = (&'a str, String)>) -> String {
    settings.into_iter().fold(name.to_string(), |text, (name, value)| format!("{text} {name}={value}"))
}

/// The loss's parameters with their defaults.
pub fn defaults(spec: &LossSpec) -> impl Iterator<Item = String> {
    spec.params.iter().map(|param| setting(param, param.default))
}
