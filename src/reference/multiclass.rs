pub fn cross_entropy(_: &[f64], _: usize, _: &crate::spec::Values) -> (f64, Vec<f64>) {
    unreachable!()
}
