// Two softmaxes that are summed each by itself, if there are two.

const EXCESS: bool = false;

// By how much more the first logit rises from x to `x_top` than the second one from t to `t_top`.
fn rises_apart(x: f32, x_top: f32, t: f32, t_top: f32) -> f32 {
    return 0.0;
}
