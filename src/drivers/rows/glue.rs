//! What `shaders/drivers/rows/interface.wgsl` lists: functions that load and store the tensors of rows.

use super::super::{
    Call, elementwise::domain_check, gradient_view, input_view, is_ignored, is_kept, load_optional, view,
};
use crate::{
    kernel::{Glue, TensorView, list},
    spec::{CLASS_OFFSET, CLASS_WEIGHT, CLASSES_LEFT_OUT, Input, LossSpec, Rows, UPSTREAM, WEIGHT},
};

/// Where the value of a row is in what binds one a row.
const ITEM: &str = "(call.item_base + index)";

/// `quads`: whether four classes are loaded and stored at once, of tensors that are bound by quads or by elements.
pub(super) fn glue(call: &Call<'_>, rows: Rows, quads: bool, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let first = &spec.inputs[0];
    let labels = spec.inputs.iter().find(|input| input.is_index_of_item());
    let second = spec.second_rows();
    let of = |input: Option<&Input>| input.and_then(|input| input_view(views, input.name));
    let mut glue = Glue::default();

    glue.load("first", "f32", of(Some(first)), "index", "0.0");
    // In place, the first input is what is written.
    let values = of(Some(first)).filter(|_| quads).map_or_else(|| "1.0".to_string(), values_of_quad);
    glue.function("load_first_quad(quad: u32) -> vec4<f32>", &format!("vec4<f32>({values})"));
    glue.load_quad("load_second_quad", of(second).filter(|tensor| tensor.quads), "1.0");
    glue.load_quad("load_upstreams", of(Some(&UPSTREAM)).filter(|tensor| tensor.quads), "1.0");
    glue.load("second", "f32", of(second), "index", "1.0");
    load_optional(&mut glue, views, &CLASS_WEIGHT, "index");
    if of(Some(&CLASS_OFFSET)).is_some() {
        load_optional(&mut glue, views, &CLASS_OFFSET, "index");
    }
    if let Some(left_out) = of(Some(&CLASSES_LEFT_OUT)) {
        glue.load(CLASSES_LEFT_OUT.name, "u32", Some(left_out), "index", "0");
    }
    let labels = of(labels).map_or_else(|| "0".to_string(), |labels| labels.element(ITEM));
    match own_values(&mut glue, spec, views) {
        // A row with a value out of range names no class; one that `ignore_index` leaves out is not asked.
        Some(check) => {
            let ignored = "select(-1, -2, is_ignored(-1))";
            let body = format!(
                "let label = i32({labels});\n    \
                return select({ignored}, label, is_ignored(label) || ({check}));"
            );
            glue.procedure("load_target(index: u32) -> i32", &body);
        }
        None => glue.function("load_target(index: u32) -> i32", &format!("i32({labels})")),
    }
    load_optional(&mut glue, views, &WEIGHT, ITEM);
    load_optional(&mut glue, views, &UPSTREAM, if rows.per_class { "index" } else { ITEM });
    is_kept(&mut glue, views, ITEM);
    is_ignored(&mut glue, spec);

    let loss = view(views, "loss_of_item");
    let values = loss.filter(|_| rows.per_class);
    glue.store("loss", "f32", loss.filter(|_| !rows.per_class), ITEM);
    // Bound by quads, all that is stored may be whole quads.
    let stores_elements = |tensor: &&TensorView| !tensor.quads || call.machine.stores_components;
    glue.store("value", "f32", values.filter(stores_elements), "index");
    glue.put_quad("store_value_quad", values.filter(|_| quads), false);
    glue.store("log_sum_exp", "f32", view(views, "log_sum_exp_of_item"), ITEM);
    glue.store("argmax", "i32", view(views, "argmax_of_item"), ITEM);
    glue.store("entropy", "f32", view(views, "entropy_of_item"), ITEM);
    glue.store("log_prob", "f32", view(views, "log_prob_of_item"), ITEM);
    store_own_statistics(&mut glue, call, views);
    let gradient = gradient_view(views, first.name);
    glue.put_gradients(gradient.filter(stores_elements), call.adds());
    glue.put_quad("put_gradient_quad", gradient.filter(|_| quads), call.adds());
    glue
}

/// `load_<name>(index)` for the values of a row that are the loss's own, and `has_nan(index)`: whether one of them is
/// NaN. What tells whether those that are checked are in range, if there are such.
fn own_values(glue: &mut Glue, spec: &LossSpec, views: &[TensorView]) -> Option<String> {
    let own: Vec<&Input> = spec.own_values().collect();
    for input in &own {
        load_optional(glue, views, input, ITEM);
    }
    let given: Vec<&Input> = own.iter().copied().filter(|input| input_view(views, input.name).is_some()).collect();
    let value = |input: &&Input| format!("load_{}(index)", input.name);
    if !own.is_empty() {
        let nan = given.iter().map(|input| format!("is_nan({})", value(input))).collect::<Vec<_>>().join(" || ");
        glue.function("has_nan(index: u32) -> bool", if nan.is_empty() { "false" } else { &nan });
    }
    let checks: Vec<String> = given.iter().filter_map(|input| domain_check(input.domain, &value(input))).collect();
    (!checks.is_empty()).then(|| checks.join(" && "))
}

/// `store_own_statistics(row, index, is_spoilt)`: what the loss has of a row by hooks of its own. They take the
/// log-probability of the target and the values of a row that are the loss's own.
fn store_own_statistics(glue: &mut Glue, call: &Call<'_>, views: &[TensorView]) {
    let own_values = call.spec().own_values().map(|input| format!(", load_{}(index)", input.name)).collect::<String>();
    let stores = call.own_statistics().filter_map(|own| {
        let value = format!("{}_of(target_log_probability(row){own_values})", own.name());
        let finished = format!("finished_statistic(row, index, is_spoilt, {value})");
        Some(view(views, &format!("{}_of_item", own.name()))?.put(ITEM, &finished, false))
    });
    let stores: Vec<String> = stores.collect();
    glue.procedure("store_own_statistics(row: Row, index: u32, is_spoilt: bool)", &stores.join("\n    "));
}

/// Four elements of a quad that is whole.
fn values_of_quad(tensor: &TensorView) -> String {
    match tensor.quads {
        true => tensor.quad(),
        false => list(&[0, 1, 2, 3], |i| tensor.element(&format!("4u * quad + {i}u"))),
    }
}
