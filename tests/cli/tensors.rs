//! Tensors of files as they come: of any number type, and in the shapes that other libraries give them.

use std::fs;

use approx::assert_abs_diff_eq;
use safetensors::Dtype::{BOOL, F8_E4M3, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};

use crate::files::{Files, Tensor, adapters, mse, tensor};

/// Two rows of three classes with these labels.
fn cross_entropy(labels: Tensor) -> Files {
    Files::new(&[("logits", tensor(F32, &[2, 3], &[0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0])), ("target", labels)])
}

/// These small whole numbers in every type that holds them, [0, 1] of truth values among them.
fn in_every_type(numbers: &[u8], shape: &[usize]) -> Vec<Tensor> {
    macro_rules! of {
        ($($dtype:ident $ty:ty),*) => {
            vec![$(tensor($dtype, shape, &numbers.iter().map(|&x| x as $ty).collect::<Vec<$ty>>())),*]
        };
    }
    let mut tensors = of!(I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64);
    if numbers.iter().all(|&x| x < 2) {
        tensors.push(tensor(BOOL, shape, numbers));
    }
    tensors
}

#[test]
fn class_targets_may_be_integers_of_any_type() {
    let expected = [3.0_f64.ln(), 0.407_605_96];
    for labels in in_every_type(&[0, 2], &[2]) {
        let run = cross_entropy(labels).eval("cross_entropy --reduction mean --json");
        assert_eq!(run.stderr, "");
        assert_abs_diff_eq!(run.json()["loss"].as_f64().unwrap(), (expected[0] + expected[1]) / 2.0, epsilon = 1e-6);
    }
    for ignored in
        [tensor(I64, &[2], &[-100_i64, 2]), tensor(I16, &[2], &[-100_i16, 2]), tensor(I8, &[2], &[-100_i8, 2])]
    {
        let report = cross_entropy(ignored).eval("cross_entropy --reduction mean --json").json();
        assert_eq!(report["items"], 1);
        assert_abs_diff_eq!(report["loss"].as_f64().unwrap(), expected[1], epsilon = 1e-6);
    }
    // Of two classes a truth value is one.
    let logits = ("logits", tensor(F32, &[2, 2], &[0.0_f32, 1.0, 2.0, 0.0]));
    for labels in in_every_type(&[1, 0], &[2]) {
        let files = Files::new(&[logits.clone(), ("target", labels)]);
        let loss = files.eval("cross_entropy --reduction sum --json").json()["loss"].as_f64().unwrap();
        assert_abs_diff_eq!(loss, (-1.0_f64).exp().ln_1p() + (-2.0_f64).exp().ln_1p(), epsilon = 1e-6);
    }
}

#[test]
fn a_mask_may_be_of_any_number_type() {
    let mut masks = in_every_type(&[0, 1], &[2]);
    // What is not 0 keeps its item, be it beyond what an f32 or an i32 holds.
    masks.push(tensor(F64, &[2], &[0.0, 1e-300]));
    masks.push(tensor(U64, &[2], &[0_u64, 1 << 63]));
    for mask in masks {
        let logits = ("logits", tensor(F32, &[2, 3], &[0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0]));
        let files = Files::new(&[logits, ("target", tensor(I64, &[2], &[7_i64, 2])), ("mask", mask)]);
        let run = files.eval("cross_entropy --reduction mean --json");
        assert_eq!(run.stderr, "");
        assert_eq!(run.json()["items"], 1);
        assert_abs_diff_eq!(run.json()["loss"].as_f64().unwrap(), 0.407_605_96, epsilon = 1e-6);
    }
}

#[test]
fn what_has_no_gradient_may_be_of_any_number_type() {
    for labels in in_every_type(&[1, 0], &[2]) {
        let files = Files::new(&[
            ("logits", tensor(F32, &[2], &[0.0_f32, 0.0])),
            ("target", labels.clone()),
            ("weight", labels.clone()),
        ]);
        let run = files.eval("bce_with_logits --reduction sum --json");
        assert_eq!(run.stderr, "");
        assert_abs_diff_eq!(run.json()["loss"].as_f64().unwrap(), 2.0_f64.ln(), epsilon = 1e-6);
    }
    let weight = ("weight", tensor(F64, &[2], &[0.25_f64, 0.5]));
    let zeros = |name| (name, tensor(F32, &[2], &[0.0_f32, 0.0]));
    let run = Files::new(&[zeros("prediction"), zeros("target"), weight]).eval("mse --reduction sum --json");
    assert!(run.stderr.contains("mse: `weight` is f64: its values are rounded to f32\n"), "{}", run.stderr);
}

#[test]
fn labels_of_pairs_may_be_of_any_type() {
    for label in in_every_type(&[1, 0], &[2]).into_iter().chain([tensor(F32, &[2], &[1.0_f32, 0.0])]) {
        let rows = |name| (name, tensor(F32, &[2, 1], &[2.5_f32, 0.0]));
        let files = Files::new(&[rows("x1"), ("x2", tensor(F32, &[2, 1], &[1.5_f32, 3.0])), ("label", label)]);
        let run = files.eval("contrastive --reduction sum --set margin=4 --set eps=0 --json");
        assert_eq!(run.stderr, "");
        assert_abs_diff_eq!(run.json()["loss"].as_f64().unwrap(), 1.0, epsilon = 1e-6);
    }
    let refused = |label: Tensor| {
        let rows = |name| (name, tensor(F32, &[2, 1], &[2.5_f32, 0.0]));
        Files::new(&[rows("x1"), rows("x2"), ("label", label)]).eval("contrastive --reduction sum")
    };
    refused(tensor(I64, &[2], &[1_i64, -1])).refused(2, &["contrastive", "1 item", "index 1", "found -1"]);
    refused(tensor(I64, &[2], &[1_i64, 1 << 32])).refused(2, &["contrastive", "`label`", "4294967296 at [1]"]);
    refused(tensor(U64, &[2], &[u64::MAX, 1])).refused(2, &["contrastive", "`label`", "18446744073709551615 at [0]"]);
}

/// Of labels that say which rows belong together, only equality counts.
#[test]
fn labels_of_whole_batches_may_be_hashes() {
    let batch = |labels: Tensor| {
        let embeddings = [0.0_f32, 1.0, 4.0, 6.5, 2.0];
        let files = Files::new(&[("embeddings", tensor(F32, &[5, 1], &embeddings)), ("labels", labels)]);
        files.eval("triplet_batch_hard --reduction none --json").json()["loss"].clone()
    };
    let expected = batch(tensor(I32, &[5], &[7_i32, 7, 3, 3, 9]));
    let [a, b, c] = [u64::MAX, 1 << 63, (1 << 63) + 1];
    assert_eq!(batch(tensor(U64, &[5], &[a, a, b, b, c])), expected);
    // As i32 of their lower halves, the first two classes would be one.
    assert_eq!(batch(tensor(I64, &[5], &[1_i64 << 32, 1 << 32, 1 << 33, 1 << 33, i64::MIN])), expected);
    for small in in_every_type(&[7, 7, 3, 3, 9], &[5]) {
        assert_eq!(batch(small), expected);
    }
}

#[test]
fn an_axis_of_one_in_place_of_the_classes_is_left_out_with_a_notice() {
    let taken = |files: Files, loss: &str, shapes: &str| {
        let run = files.eval(&format!("{loss} --reduction mean --json"));
        let name = loss.split(' ').next().unwrap();
        assert_eq!(run.stderr, format!("wgloss: {name}: `target` of shape {shapes}\n"));
        run.json()["loss"].clone()
    };
    let expected = cross_entropy(tensor(I64, &[2], &[0_i64, 2])).eval("cross_entropy --reduction mean --json").json();
    let found = taken(cross_entropy(tensor(I64, &[2, 1], &[0_i64, 2])), "cross_entropy", "[2, 1] is taken as [2]");
    assert_eq!(found, expected["loss"]);

    let logits: Vec<f32> = (0..12_u8).map(|x| f32::from(x % 5)).collect();
    let places = |first, labels| Files::new(&[(first, tensor(F32, &[2, 3, 2], &logits)), ("target", labels)]);
    for (loss, first) in [("focal", "logits"), ("dice --set activation=softmax", "prediction")] {
        let expected = places(first, tensor(U8, &[2, 2], &[0_u8, 2, 1, 0]));
        let expected = expected.eval(&format!("{loss} --reduction mean --json")).json();
        let found =
            taken(places(first, tensor(U8, &[2, 1, 2], &[0_u8, 2, 1, 0])), loss, "[2, 1, 2] is taken as [2, 2]");
        assert_eq!(found, expected["loss"]);
    }
    // Values for one class have that axis themselves, and an element is its own item.
    let ones = |name, dtype| {
        (name, if dtype == F32 { tensor(F32, &[2, 1, 2], &[1.0_f32; 4]) } else { tensor(U8, &[2, 1, 2], &[1_u8; 4]) })
    };
    let run =
        Files::new(&[ones("prediction", F32), ones("target", U8)]).eval("dice --reduction mean --set activation=none");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    Files::new(&[("prediction", tensor(F32, &[2], &[0.0_f32; 2])), ("target", tensor(F32, &[2, 1], &[0.0_f32; 2]))])
        .eval("mse --reduction mean")
        .refused(2, &["mse", "`target`", "1 axes", "[2, 1]"]);
}

#[test]
fn f64_is_rounded_with_a_notice() {
    let files = Files::new(&[
        ("prediction", tensor(F64, &[2], &[0.1_f64, 1.0])),
        ("target", tensor(F64, &[2], &[0.0_f64, 1e300])),
    ]);
    let run = files.eval("mae --reduction sum");
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("mae: `prediction` is f64: its values are rounded to f32, its gradient is f32"));
    assert!(run.stderr.contains("mae: `target` is f64: its values are rounded to f32, 1 of them to infinity"));
    assert_eq!(files.eval_to_file("mae --reduction sum")["grad.prediction"].0, F32);
}

#[test]
fn large_integers_for_a_floating_target_are_rounded_with_a_notice() {
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[0.0_f32, 0.0])),
        ("target", tensor(I64, &[2], &[16_777_217_i64, 16_777_216])),
    ]);
    assert!(files.eval("mse --reduction sum").stderr.contains("mse: `target`: 1 integer is rounded to f32"));
}

#[test]
fn tensors_that_do_not_fit_the_loss_are_refused() {
    let values = || tensor(F32, &[2], &[0.0_f32, 1.0]);
    let mse = |tensors: &[(&str, Tensor)]| Files::new(tensors).eval("mse --reduction mean");

    mse(&[("prediction", values())]).refused(2, &["mse", "`target` is missing"]);
    mse(&[("prediction", values()), ("target", values()), ("variance", values())])
        .refused(2, &["mse", "unexpected `variance`", "`weight`, `mask`, `upstream`, `divisor`"]);
    mse(&[("prediction", values()), ("target", tensor(F32, &[3], &[0.0_f32; 3]))])
        .refused(2, &["mse", "`target`", "[2]", "[3]"]);
    mse(&[("prediction", tensor(I32, &[2], &[0_i32, 1])), ("target", values())])
        .refused(2, &["mse", "`prediction`", "f32, f16, bf16 or f64", "i32"]);
    mse(&[("prediction", values()), ("target", tensor(F8_E4M3, &[2], &[0_u8, 1]))])
        .refused(2, &["input.safetensors", "`target`", "F8_E4M3", "no loss"]);
    cross_entropy(values())
        .eval("cross_entropy --reduction mean")
        .refused(2, &["cross_entropy", "`target` must be integers or truth values", "f32"]);
}

#[test]
fn classes_in_the_wrong_place_are_told_where_they_belong() {
    let one_hot = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    for target in [
        tensor(F32, &[2, 3], &one_hot.map(|x| x as f32)),
        tensor(F64, &[2, 3], &one_hot),
        tensor(I64, &[2, 3], &one_hot.map(|x| x as i64)),
        tensor(BOOL, &[2, 3], &one_hot.map(|x| x as u8)),
    ] {
        let run = cross_entropy(target).eval("cross_entropy --reduction mean");
        run.refused(2, &["`target` must have shape [2]", "`cross_entropy_soft`", "found [2, 3]"]);
    }
    let last = [("logits", tensor(F32, &[2, 4, 3], &[0.0_f32; 24])), ("target", tensor(I64, &[2, 4], &[0_i64; 8]))];
    let run = Files::new(&last).eval("cross_entropy --reduction mean");
    run.refused(2, &["`logits` must have shape [2, 3, 4]", "classes on axis 1", "found [2, 4, 3]"]);
}

#[test]
fn labels_out_of_range_are_refused() {
    for adapter in adapters() {
        let rule = "`target` must be 0 to 2 (C = 3) or -100 (ignore_index), found 3";
        cross_entropy(tensor(I64, &[2], &[0_i64, 3]))
            .eval_on(&adapter, "cross_entropy --reduction mean")
            .refused(2, &["cross_entropy", "1 item", "index 1", rule]);
    }
    cross_entropy(tensor(I64, &[2], &[0_i64, 4_294_967_296]))
        .eval("cross_entropy --reduction mean")
        .refused(2, &["cross_entropy", "`target`", "2147483647", "4294967296 at [1]"]);
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[0.5_f32, 0.5])),
        ("target", tensor(F32, &[2], &[0.0_f32, 1.5])),
    ]);
    files.eval("bce --reduction mean").refused(2, &["bce", "1 item", "index 1", "`target`", "found 1.5"]);
}

#[test]
fn files_that_are_no_safetensors_are_refused() {
    let files = mse();
    let whole = fs::read(files.input()).unwrap();
    for bytes in [&whole[..whole.len() - 1], &whole[..20], &[], b"not a safetensors file at all"] {
        fs::write(files.input(), bytes).unwrap();
        files.eval("mse --reduction mean").refused(2, &["input.safetensors", "not a valid safetensors file"]);
    }
    fs::remove_file(files.input()).unwrap();
    files.eval("mse --reduction mean").refused(2, &["input.safetensors"]);
    fs::create_dir(files.input()).unwrap();
    files.eval("mse --reduction mean").refused(2, &["input.safetensors"]);
}
