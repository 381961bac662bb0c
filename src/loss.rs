//! The trait that every loss has, and losses chosen by name.

use crate::{
    Error, losses,
    spec::{LossSpec, Value, Values},
};

/// A loss with its parameters.
pub trait Loss {
    /// The loss's entry in the catalogue.
    fn spec(&self) -> &'static LossSpec;

    /// The parameters' values, in the order of `spec().params`.
    fn values(&self) -> Vec<Value>;
}

/// A loss chosen by its name, with parameters given as text: what the command line uses.
///
/// ```
/// use wgloss::AnyLoss;
/// let huber = AnyLoss::new("huber", &[("delta", "0.5")])?;
/// assert!(AnyLoss::new("huber", &[("delta", "-1")]).is_err());
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnyLoss(Values);

impl AnyLoss {
    /// The loss of that name with `settings` (`key`, `value`) in place of defaults.
    ///
    /// # Errors
    /// [`Error::UnknownLoss`], [`Error::UnknownParameter`], [`Error::Parameter`].
    pub fn new(name: &str, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let spec = losses::find(name)?;
        Ok(AnyLoss(spec.values(settings)?))
    }
}

impl Loss for AnyLoss {
    fn spec(&self) -> &'static LossSpec {
        self.0.spec()
    }

    fn values(&self) -> Vec<Value> {
        self.0.iter().map(|(_, value)| value).collect()
    }
}
