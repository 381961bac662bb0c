//! What `shaders/drivers/rows/rows.wgsl` lists: functions that load and store the tensors of rows.

use super::super::{Call, gradient_view, input_view, is_ignored, load_optional, view};
use crate::{
    kernel::{Glue, TensorView, line},
    spec::{CLASS_WEIGHT, Domain, Input, Kind, Rows, UPSTREAM, WEIGHT},
};

pub(super) fn glue(call: &Call<'_>, rows: Rows, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let first = &spec.inputs[0];
    let labels = spec.inputs.iter().find(|input| input.kind == Kind::Index);
    let second = spec.second_rows();
    let of = |input: Option<&Input>| input.and_then(|input| input_view(views, input.name));
    let mut glue = Glue::default();

    glue.load("first", "f32", of(Some(first)), "index", "0.0");
    glue.load_quad("first", of(Some(first)));
    glue.load_quad("second", of(second));
    load_upstream_quad(&mut glue, of(Some(&UPSTREAM)));
    glue.load("second", "f32", of(second), "index", "1.0");
    load_optional(&mut glue, views, &CLASS_WEIGHT);
    glue.load("target", "i32", of(labels), "index", "0");
    load_optional(&mut glue, views, &WEIGHT);
    load_optional(&mut glue, views, &UPSTREAM);

    is_ignored(&mut glue, spec);
    let standing = match second.map(|input| input.domain) {
        Some(Domain::Probability) => {
            "select(select(FINE, SPOILT, is_nan(value)), OUT_OF_RANGE, !is_probability(value))"
        }
        Some(_) => "select(FINE, SPOILT, is_nan(value) || bitcast<u32>(value) == 0x7f800000u)",
        None => "FINE",
    };
    line!(glue, "fn standing_of_second(value: f32) -> u32 {{\n    return {standing};\n}}");
    line!(glue, "fn standing_of_weight(value: f32) -> u32 {{");
    line!(glue, "    return select(select(SPOILT, FINE, is_finite(value)), OUT_OF_RANGE, value < 0.0);\n}}");

    let loss = view(views, "loss_of_item");
    glue.store("loss", "f32", loss.filter(|_| !rows.per_class));
    store_values(&mut glue, loss.filter(|_| rows.per_class));
    glue.store("log_sum_exp", "f32", view(views, "log_sum_exp_of_row"));
    glue.store("argmax", "i32", view(views, "argmax_of_row"));
    glue.put_gradients(gradient_view(views, first.name), call.adds());
    glue
}

/// `load_upstream_quad(quad)`: four upstream values of a row with one for each class, or one for all.
fn load_upstream_quad(glue: &mut Glue, upstream: Option<&TensorView>) {
    line!(glue, "fn load_upstream_quad(quad: u32) -> vec4<f32> {{");
    match upstream.filter(|upstream| upstream.quads) {
        Some(upstream) => {
            line!(glue, "    if (call.upstream_stride == 0u) {{\n        return vec4<f32>(load_upstream(0u));\n    }}");
            line!(glue, "    return {};", upstream.quad());
        }
        None => line!(glue, "    return vec4<f32>(1.0);"),
    }
    line!(glue, "}}");
}

/// `store_value(index, value)` and `store_value_quad(quad, values)` of each class.
fn store_values(glue: &mut Glue, values: Option<&TensorView>) {
    line!(glue, "fn store_value(index: u32, value: f32) {{");
    if let Some(values) = values {
        line!(glue, "    {} = value;", values.element("index"));
    }
    line!(glue, "}}\nfn store_value_quad(quad: u32, values: vec4<f32>) {{");
    if let Some(values) = values.filter(|values| values.quads) {
        line!(glue, "    {}[quad] = values;", values.name);
    }
    line!(glue, "}}");
}
