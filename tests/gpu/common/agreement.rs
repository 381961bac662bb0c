//! Kernels held to the reference.

use wgloss::{Error, Evaluation, Gpu, Gradients, HostTensor, Loss, Named, Options, Plan, parity, reference};

#[track_caller]
pub fn assert_agree(expected: &reference::Evaluation, found: &Evaluation, what: &str) {
    let failures = parity::compare(expected, found).failures;
    assert!(failures.is_empty(), "{what}: {failures:?}");
}

/// The inputs with zeros for gradients that are to be added to something.
pub fn with_targets(
    loss: &impl Loss,
    inputs: &Named<HostTensor<'_>>,
    options: impl Into<Options>,
) -> Named<HostTensor<'static>> {
    let owned = |host: &HostTensor<'_>| {
        HostTensor::from_bytes(host.dtype(), host.shape(), host.bytes().to_vec()).expect("as many bytes")
    };
    let mut all = inputs.map(owned);
    if let Gradients::Add { .. } = options.into().gradients {
        let has_gradient = |name: &str| loss.spec().input(name).is_some_and(|input| input.differentiable);
        for (name, host) in inputs.iter().filter(|(name, _)| has_gradient(name)) {
            let zeros = HostTensor::from_bytes(host.dtype(), host.shape(), vec![0; host.bytes().len()]);
            all = all.with(format!("grad.{name}"), zeros.expect("as many bytes"));
        }
    }
    all
}

/// The evaluation on the adapter, after comparing it with the reference's.
#[track_caller]
pub fn evaluated(
    gpu: &Gpu,
    loss: &impl Loss,
    inputs: &Named<HostTensor<'_>>,
    options: impl Into<Options>,
) -> Evaluation {
    let options = options.into();
    let expected = reference::evaluate(loss, inputs, &options).unwrap();
    let found = loss.eval_with(gpu, &with_targets(loss, inputs, options), options).unwrap();
    let first = inputs.get(loss.spec().inputs[0].name).unwrap().ty();
    let (name, values) = (loss.spec().name, loss.values());
    assert_agree(&expected, &found, &format!("{name} {values:?} {first:?} {options:?} on {gpu:?}"));
    found
}

/// Whether an adapter cannot bind as many tensors as a call has, for which wgloss has an error.
pub fn is_beyond_bindings(
    gpu: &Gpu,
    loss: &impl Loss,
    inputs: &Named<HostTensor<'_>>,
    options: impl Into<Options>,
) -> bool {
    let types = inputs.map(|tensor| tensor.ty().clone());
    let planned = Plan::new(gpu, loss, &types, options);
    matches!(planned, Err(Error::Limit { limit: "max_storage_buffers_per_shader_stage", .. }))
}

/// The loss, the count and the first item of an error of values out of range.
#[track_caller]
pub fn out_of_range(error: &Error) -> (&'static str, u64, u64) {
    match error {
        &Error::Target { loss, count, first, .. } => (loss, count, first),
        other => panic!("{other}"),
    }
}
