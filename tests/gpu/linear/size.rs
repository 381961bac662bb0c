//! Vocabularies as large as those of language models.

use wgloss::{DType, Error, Gradients, LinearCrossEntropy, Named, Options, Plan, Reduction, Statistics, TensorType};

use super::{Gpu, Size, adapters, device, effort, evaluated, gradient, head, run, tensor, with};

/// Tokens of a batch.
const TOKENS: usize = 8192;

/// What a plan for a head of so many dimensions and classes takes besides inputs and outputs, without an allocation
/// before it is bound.
fn workspace(gpu: &Gpu, [dimensions, classes]: [usize; 2], frozen: &'static [&'static str]) -> Result<u64, Error> {
    let rows = TOKENS;
    let types = Named::new()
        .with("hidden", TensorType::new(DType::BF16, [rows, dimensions]))
        .with("weight", TensorType::new(DType::BF16, [classes, dimensions]))
        .with("target", TensorType::new(DType::I32, [rows]));
    let options = Options { frozen, ..Options::new(Reduction::Mean) };
    let gpu = device::opened_again(gpu);
    let before = device::held(&gpu)[..3].to_vec();
    let plan = Plan::new(&gpu, &LinearCrossEntropy::default(), &types, options)?;
    assert_eq!(device::held(&gpu)[..3], before, "a plan has no memory before it is bound: {gpu:?}");
    Ok(plan.workspace_size())
}

#[test]
fn a_vocabulary_of_128_256_takes_a_panel_and_the_sums_of_its_gradient() {
    let (panel, sums) = (256 << 20, 128_256 * 2048 * 4);
    let refused: Vec<Error> = adapters::every()
        .iter()
        .flat_map(|gpu| {
            [(&[] as &'static [&'static str], sums + panel), (&["weight"], panel)].map(|(frozen, most)| {
                let size = workspace(gpu, [2048, 128_256], frozen)?;
                assert!(size <= most, "{size} bytes with {frozen:?} frozen on {gpu:?}");
                Ok(())
            })
        })
        .filter_map(Result::err)
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_page_on_language_models_says_what_plans_take() {
    let page = include_str!("../../../docs/language_models.md");
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
        groups.join(",")
    };
    let mib = |bytes: u64| grouped((bytes + (1 << 19)) >> 20);
    // Elsewhere rows of many classes may be cut into fewer parts.
    for gpu in adapters::every().iter().filter(|gpu| gpu.adapter_id().contains("llvmpipe")) {
        let heads = [("GPT-2", 768, 50_257), ("Llama 3 8B", 4096, 128_256), ("Gemma 2 9B", 3584, 256_000)];
        let rows = heads.map(|(name, dimensions, classes)| {
            let logits = (TOKENS * classes * 4) as u64;
            let [trained, frozen] = [&[] as &'static [&'static str], &["weight"]]
                .map(|frozen| workspace(gpu, [dimensions, classes], frozen).unwrap());
            let sizes = [logits, logits / 2, trained, frozen].map(mib).join(" | ");
            format!("| {name} | {} | {} | {sizes} |\n", grouped(dimensions as u64), grouped(classes as u64))
        });
        assert!(page.contains(&rows.concat()), "not on the page, on {gpu:?}:\n{}", rows.concat());
    }
}

/// More classes, and more rows of few classes, than a dispatch has workgroups for.
#[test]
fn classes_and_rows_are_as_many_as_they_like() {
    // More than the workgroups of a dispatch, and in longer runs more than a million.
    let many = if effort::run() == effort::Run::Short { 150_003 } else { 1_100_003 };
    for (rows, classes) in [(2, many), (many, 3)] {
        let inputs = head(&Size { items: &[rows], dimensions: 4, classes }, DType::F32);
        for gpu in effort::adapters(0) {
            evaluated(gpu, &LinearCrossEntropy::default(), &inputs, Reduction::Mean);
        }
    }
}

/// Losses of a few rows, and gradients of a few rows and classes, from their formulas.
#[test]
fn a_vocabulary_of_32_000_has_the_losses_of_its_formula() {
    const ROWS: usize = 1024;
    const SIZE: usize = 256;
    const CLASSES: usize = 32_000;
    let inputs = head(&Size { items: &[ROWS], dimensions: SIZE, classes: CLASSES }, DType::F32);
    let scale = |name: &str, factor: f64| {
        let host = inputs.get(name).unwrap();
        let values: Vec<f64> = host.to_f64().iter().map(|x| x * factor).collect();
        tensor(&values, DType::F32, host.shape())
    };
    // Logits of some nats.
    let inputs = with(&inputs, "weight", scale("weight", 0.5));
    let [hidden, weight, bias] = ["hidden", "weight", "bias"].map(|name| inputs.get(name).unwrap().to_f64());
    let target: Vec<i32> = inputs.get("target").unwrap().to_vec().unwrap();
    let logit = |row: usize, class: usize| {
        let (h, w) = (&hidden[row * SIZE..][..SIZE], &weight[class * SIZE..][..SIZE]);
        h.iter().zip(w).map(|(h, w)| h * w).sum::<f64>() + bias[class]
    };
    let counts = |row: usize| target[row] >= 0;
    let statistics = Statistics { log_sum_exp: true, ..Statistics::default() };
    for gpu in effort::adapters(0) {
        let found =
            run(gpu, &LinearCrossEntropy::default(), &inputs, Options { statistics, ..Options::new(Reduction::None) });
        let losses = found.loss.to_f64();
        let log_sum_exp = found.log_sum_exp().unwrap().to_f64();
        let [of_hidden, of_weight, of_bias] = ["hidden", "weight", "bias"].map(|name| gradient(&found, name).to_f64());
        for row in [0, 1, 511, 1023] {
            let logits: Vec<f64> = (0..CLASSES).map(|class| logit(row, class)).collect();
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let lse = largest + logits.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
            let y = target[row] as usize;
            assert!((log_sum_exp[row] - lse).abs() < 1e-5, "row {row}: {} for {lse} on {gpu:?}", log_sum_exp[row]);
            let loss = lse - logits[y];
            assert!((losses[row] - loss).abs() < 1e-5 * loss, "row {row}: {} for {loss} on {gpu:?}", losses[row]);
            for d in [0, 100, 255] {
                let of_class = |class: usize| {
                    ((logits[class] - lse).exp() - f64::from(u8::from(class == y))) * weight[class * SIZE + d]
                };
                let expected: f64 = (0..CLASSES).map(of_class).sum();
                let found = of_hidden[row * SIZE + d];
                assert!((found - expected).abs() < 1e-5, "hidden {row}, {d}: {found} for {expected} on {gpu:?}");
            }
        }
        for class in [0, 7, 31_999] {
            let g: Vec<f64> = (0..ROWS)
                .map(|row| {
                    let is_target = target[row] == class as i32;
                    let p = (logit(row, class) - log_sum_exp[row]).exp();
                    if counts(row) { p - f64::from(u8::from(is_target)) } else { 0.0 }
                })
                .collect();
            let expected: f64 = g.iter().sum();
            assert!((of_bias[class] - expected).abs() < 1e-5, "bias {class}: {expected} on {gpu:?}");
            for d in [0, 100, 255] {
                let expected: f64 = (0..ROWS).map(|row| g[row] * hidden[row * SIZE + d]).sum();
                let found = of_weight[class * SIZE + d];
                assert!((found - expected).abs() < 1e-5, "weight {class}, {d}: {found} for {expected} on {gpu:?}");
            }
        }
        let counted = (0..ROWS).filter(|&row| counts(row)).count();
        assert_eq!(found.items, counted as u64);
        assert!((0..ROWS).all(|row| counts(row) || losses[row] == 0.0));
        let mean = losses.iter().sum::<f64>() / counted as f64;
        let skip = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
        let found = run(gpu, &LinearCrossEntropy::default(), &inputs, skip).loss.item();
        assert!((found - mean).abs() < 1e-6 * mean, "{found} for {mean} on {gpu:?}");
    }
}
