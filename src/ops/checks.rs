//! What operations ask of their parameters and tensors.

use crate::{
    Error, TensorType,
    spec::{Rule, Value},
};

/// That a parameter keeps its rule.
pub(super) fn expect_parameter(
    loss: &'static str,
    parameter: &'static str,
    rule: Rule,
    found: f32,
) -> Result<(), Error> {
    match rule.allows(Value::Number(found)) {
        true => Ok(()),
        false => Err(Error::Parameter { loss, parameter, rule, found: found.to_string() }),
    }
}

/// The types of the tensors of these names, which are all that there are, and of the first one's shape.
pub(super) fn expect_alike<'a, const N: usize>(
    loss: &'static str,
    tensors: &'a [(String, TensorType)],
    names: [&'static str; N],
) -> Result<[&'a TensorType; N], Error> {
    if let Some((unexpected, _)) = tensors.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        let known = names.iter().map(|name| name.to_string()).collect();
        return Err(Error::UnexpectedTensor { loss, tensor: unexpected.clone(), known });
    }
    let find = |name: &str| tensors.iter().find(|(known, _)| known == name).map(|(_, ty)| ty);
    if let Some(missing) = names.iter().find(|name| find(name).is_none()) {
        return Err(Error::MissingTensor { loss, tensor: missing.to_string() });
    }
    let found = names.map(|name| find(name).unwrap_or(&tensors[0].1));
    let shape = &found[0].shape;
    match names.iter().zip(found).find(|(_, ty)| ty.shape != *shape) {
        Some((tensor, ty)) => {
            Err(Error::Shape { loss, tensor, expected: format!("{shape:?}"), found: ty.shape.clone() })
        }
        None => Ok(found),
    }
}
