//! Tensors by name.

use crate::Error;

/// Values (host tensors, device tensors, types, buffers) by the names that the catalogue gives to a loss's inputs and
/// outputs.
///
/// ```
/// use wgloss::{HostTensor, Named};
/// let inputs = Named::<HostTensor>::new().with("prediction", &[0.5_f32, 2.0]).with("target", &[1.0_f32, 2.0]);
/// assert_eq!(inputs.get("target").unwrap().shape(), [2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named<T>(Vec<(String, T)>);

impl<T> Named<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Named(Vec::new())
    }

    /// This list with one value more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<T>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A list of these names with other values.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> Named<U> {
        Named(self.0.iter().map(|(name, value)| (name.clone(), f(value))).collect())
    }

    /// Checks that every name is one of `known` and none stands twice.
    pub(crate) fn expect_only(&self, loss: &'static str, known: &[String]) -> Result<(), Error> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(name) || self.0[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::UnexpectedTensor { loss, tensor: name.clone(), known: known.to_vec() });
            }
        }
        Ok(())
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        Named(items.into_iter().collect())
    }
}
