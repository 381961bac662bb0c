//! The struct of a loss, which the crate's root exports, and its entry in the catalogue: both name the same
//! parameters.

use wgloss::{
    spec::{LossSpec, Value, Values},
    *,
};

/// A typed loss with what its fields do.
struct Typed {
    spec: &'static LossSpec,
    defaults: Vec<Value>,
    /// Each field by its name: another value, and the loss's values with that one.
    changed: Vec<(&'static str, Value, Vec<Value>)>,
}

macro_rules! typed {
    ($($loss:ident { $($field:ident: $value:expr),* }),* $(,)?) => {
        vec![$(Typed {
            spec: $loss::default().spec(),
            defaults: $loss::default().values(),
            changed: vec![$((
                stringify!($field),
                $value.into(),
                #[allow(clippy::needless_update)]
                $loss { $field: $value, ..$loss::default() }.values(),
            )),*],
        }),*]
    };
}

/// Every typed loss, with a value other than the default for each of its fields.
fn every_loss() -> Vec<Typed> {
    typed![
        Mse {},
        Mae {},
        Huber { delta: 0.125 },
        SmoothL1 { beta: 0.125 },
        LogCosh {},
        Quantile { quantile: 0.125 },
        AsymmetricMse { over_penalty: 0.125 },
        PoissonNll { log_input: false, full: true, eps: 0.125 },
        GaussianNll { full: true, eps: 0.125 },
        Bce {},
        BceWithLogits { pos_weight: 0.125, label_smoothing: 0.125 },
        SigmoidFocal { alpha: 0.125, gamma: 0.125 },
        Hinge {},
        SquaredHinge {},
        SoftMargin {},
        KlDiv { log_target: true },
        CrossEntropy {
            label_smoothing: 0.125,
            smoothing: Smoothing::Others,
            ignore_index: 3,
            z_loss: 0.125,
            softcap: 0.125,
            entropy_bonus: 0.125
        },
        CrossEntropySoft { label_smoothing: 0.125 },
        Focal { alpha: 0.125, gamma: 0.125, ignore_index: 3 },
        Nll { ignore_index: 3 },
        Distillation { temperature: 0.125, divergence: Divergence::Reverse, ignore_index: 3 },
        JensenShannon { beta: 0.125, temperature: 0.125, scale_by_t2: true, ignore_index: 3 },
        JensenShannonTopK { beta: 0.125, temperature: 0.125, scale_by_t2: true, tail: Tail::Bucket, ignore_index: 3 },
        TotalVariation { temperature: 0.125 },
        LinearCrossEntropy {
            label_smoothing: 0.125,
            smoothing: Smoothing::Others,
            ignore_index: 3,
            z_loss: 0.125,
            softcap: 0.125,
            entropy_bonus: 0.125,
            logit_scale: 0.125,
            temperature: 0.125,
            shift: 3
        },
        LinearFocal { alpha: 0.125, gamma: 0.125, ignore_index: 3, logit_scale: 0.125, temperature: 0.125, shift: 3 },
        LinearCrossEntropySoft { label_smoothing: 0.125, logit_scale: 0.125, temperature: 0.125 },
        LinearDistillation { temperature: 0.125, divergence: Divergence::Reverse, ignore_index: 3, logit_scale: 0.125 },
        LinearJensenShannon { beta: 0.125, temperature: 0.125, scale_by_t2: true, ignore_index: 3, logit_scale: 0.125 },
        NormalizedSoftmax { scale: 0.125, ignore_index: 3 },
        Cosface { scale: 0.125, margin: 0.125, ignore_index: 3 },
        Arcface { scale: 0.125, margin: 0.125, ignore_index: 3 },
        SubcenterArcface { scale: 0.125, margin: 0.125, ignore_index: 3 },
        ProxyNca { scale: 0.125, ignore_index: 3 },
        LinearTokenLogProb { temperature: 0.125, ignore_index: 3, logit_scale: 0.125, shift: 3 },
        LinearPolicyClip {
            eps_low: 0.125,
            eps_high: 0.25,
            delta: 2.0,
            kl: 0.125,
            kl_correction: true,
            temperature: 0.125,
            ignore_index: 3,
            logit_scale: 0.125,
            shift: 3
        },
        LinearPolicyCispo {
            eps_high: 0.25,
            kl: 0.125,
            kl_correction: true,
            temperature: 0.125,
            ignore_index: 3,
            logit_scale: 0.125,
            shift: 3
        },
        LinearPolicySapo {
            tau_positive: 0.125,
            tau_negative: 0.25,
            kl: 0.125,
            kl_correction: true,
            temperature: 0.125,
            ignore_index: 3,
            logit_scale: 0.125,
            shift: 3
        },
        LinearPolicySequence {
            ratio: SequenceRatio::Sum,
            eps_low: 0.125,
            eps_high: 0.25,
            delta: 2.0,
            temperature: 0.125,
            ignore_index: 3,
            logit_scale: 0.125
        },
        LinearPreference {
            form: PreferenceForm::Nca,
            beta: 0.25,
            label_smoothing: 0.125,
            tau: 0.25,
            ignore_index: 3,
            logit_scale: 0.125
        },
        LinearCpo { beta: 0.25, label_smoothing: 0.125, ignore_index: 3, logit_scale: 0.125 },
        LinearSimpo { beta: 0.25, gamma: 0.25, label_smoothing: 0.125, ignore_index: 3, logit_scale: 0.125 },
        LinearOrpo { beta: 0.25, ignore_index: 3, logit_scale: 0.125 },
        LinearKto { beta: 0.25, desirable_weight: 0.5, undesirable_weight: 0.25, ignore_index: 3, logit_scale: 0.125 },
        MultiMargin { margin: 0.125, p: 2, ignore_index: 3 },
        MultilabelSoftMargin {},
        LogSumExp {},
        Softmax {},
        LogSoftmax {},
        Contrastive { margin: 0.125, factor: 0.125, eps: 0.125 },
        CosineEmbedding { margin: 0.125 },
        MarginRanking { margin: 0.125 },
        HingeEmbedding { margin: 0.125 },
        TripletMargin { margin: 0.125, distance: Distance::Cosine, swap: true, eps: 0.125 },
        TripletBatchHard { margin: 0.125, distance: Distance::Cosine, soft_margin: true },
        TripletSemiHard { margin: 0.125, distance: Distance::Cosine, fallback: Fallback::Farthest },
        TripletBatchAll { margin: 0.125, distance: Distance::Cosine, triplets: Triplets::Hard, average: Average::All },
        InfoNce { temperature: 0.125, normalize: false, norm_eps: 0.125 },
        Clip { norm_eps: 0.125 },
        NtXent { temperature: 0.125, norm_eps: 0.125 },
        SupCon { temperature: 0.125, norm_eps: 0.125 },
        Dice {
            activation: Activation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3
        },
        Tversky {
            activation: Activation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3,
            alpha: 0.125,
            beta: 0.125
        },
        FocalTversky {
            activation: Activation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3,
            alpha: 0.125,
            beta: 0.125,
            exponent: 0.125
        },
        Jaccard {
            activation: Activation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3
        },
        CeDice {
            ce_weight: 0.125,
            dice_weight: 0.125,
            activation: LogitActivation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3
        },
        FocalDice {
            focal_weight: 0.125,
            dice_weight: 0.125,
            alpha: 0.125,
            gamma: 0.125,
            focal_form: FocalForm::Sigmoid,
            activation: LogitActivation::Sigmoid,
            smooth: 0.125,
            scope: Scope::Sample,
            include_background: false,
            squared: true,
            ignore_index: 3
        },
        Iou { eps: 0.125 },
        Giou { eps: 0.125 },
        Diou { eps: 0.125 },
        Ciou { eps: 0.125 },
        GanDiscriminator {},
        GanGenerator { saturating: true },
        LsganDiscriminator {},
        LsganGenerator {},
        HingeGanDiscriminator {},
        HingeGanGenerator {},
        WganCritic {},
        WganGenerator {},
        GradientPenalty { lambda: 0.125, norm_target: 0.125 },
        GaussianKl {},
        WeightedSum {},
        UncertaintyWeighting {},
        TokenLogProb { temperature: 0.5, ignore_index: -1 },
        PolicyClip { eps_low: 0.125, eps_high: 0.25, delta: 2.0, kl: 0.5, kl_correction: true },
        PolicyClipOfLogits {
            eps_low: 0.125,
            eps_high: 0.25,
            delta: 2.0,
            kl: 0.5,
            kl_correction: true,
            temperature: 0.5,
            ignore_index: -1
        },
        PolicyCispo { eps_high: 2.0, kl: 0.5, kl_correction: true },
        PolicyCispoOfLogits { eps_high: 2.0, kl: 0.5, kl_correction: true, temperature: 0.5, ignore_index: -1 },
        PolicySapo { tau_positive: 2.0, tau_negative: 0.5, kl: 0.25, kl_correction: true },
        PolicySapoOfLogits {
            tau_positive: 2.0,
            tau_negative: 0.5,
            kl: 0.25,
            kl_correction: true,
            temperature: 0.5,
            ignore_index: -1
        },
        PolicySequenceOfLogits {
            ratio: SequenceRatio::Sum,
            eps_low: 0.125,
            eps_high: 0.25,
            delta: 2.0,
            temperature: 0.5,
            ignore_index: -1
        },
        PreferenceOfLogits {
            form: PreferenceForm::Nca,
            beta: 0.25,
            label_smoothing: 0.125,
            tau: 0.25,
            ignore_index: -1
        },
        CpoOfLogits { beta: 0.25, label_smoothing: 0.125, ignore_index: -1 },
        SimpoOfLogits { beta: 0.25, gamma: 0.25, label_smoothing: 0.125, ignore_index: -1 },
        OrpoOfLogits { beta: 0.25, ignore_index: -1 },
        KtoOfLogits { beta: 0.25, desirable_weight: 0.5, undesirable_weight: 0.25, ignore_index: -1 },
        PolicySequence { ratio: SequenceRatio::Sum, eps_low: 0.125, eps_high: 0.25, delta: 2.0 },
        PpoValue { clip: 0.125, factor: 1.0 },
        Preference { form: PreferenceForm::Nca, beta: 0.25, label_smoothing: 0.125, tau: 0.25 },
        Cpo { beta: 0.25, label_smoothing: 0.125 },
        Simpo { beta: 0.25, gamma: 0.25, label_smoothing: 0.125 },
        Orpo { beta: 0.25 },
        Kto { beta: 0.25, desirable_weight: 0.5, undesirable_weight: 0.25 },
        RewardPair { center: 0.125 },
        Vae { beta: 0.125, likelihood: Likelihood::Mse },
        Perceptual {},
        Style {},
    ]
}

#[test]
fn every_loss_of_the_catalogue_has_its_type() {
    let mut typed: Vec<&str> = every_loss().iter().map(|typed| typed.spec.name).collect();
    let mut listed: Vec<&str> = losses::ALL.iter().map(|spec| spec.name).collect();
    typed.sort_unstable();
    listed.sort_unstable();
    assert_eq!(typed, listed);
}

#[test]
fn defaults_of_the_type_are_those_of_the_catalogue() {
    for Typed { spec, defaults, .. } in every_loss() {
        let listed: Vec<Value> = spec.params.iter().map(|param| param.default).collect();
        assert_eq!(defaults, listed, "{}", spec.name);
    }
}

#[test]
fn a_field_is_the_parameter_of_its_name_and_no_other() {
    for Typed { spec, defaults, changed } in every_loss() {
        let fields: Vec<&str> = changed.iter().map(|(field, ..)| *field).collect();
        let params: Vec<&str> = spec.params.iter().map(|param| param.name).collect();
        assert_eq!(fields, params, "{}", spec.name);
        for (index, (field, value, found)) in changed.into_iter().enumerate() {
            let mut expected = defaults.clone();
            expected[index] = value;
            assert_ne!(expected, defaults, "{}: {field} is to have another value", spec.name);
            assert_eq!(found, expected, "{}: {field}", spec.name);
            assert!(Values::new(spec, found).is_ok(), "{}: {field} may not be {value}", spec.name);
        }
    }
}
