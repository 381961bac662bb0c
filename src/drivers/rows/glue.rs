//! What `shaders/drivers/rows/interface.wgsl` lists: functions that load and store the tensors of rows.

use super::super::{Call, gradient_view, input_view, is_ignored, is_kept, load_optional, view};
use crate::{
    kernel::{Glue, TensorView},
    spec::{CLASS_WEIGHT, Input, Kind, Rows, UPSTREAM, WEIGHT},
};

/// Where the value of a row is in what binds one a row.
const ITEM: &str = "(call.item_base + index)";

pub(super) fn glue(call: &Call<'_>, rows: Rows, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let first = &spec.inputs[0];
    let labels = spec.inputs.iter().find(|input| input.kind == Kind::Index);
    let second = spec.second_rows();
    let of = |input: Option<&Input>| input.and_then(|input| input_view(views, input.name));
    let mut glue = Glue::default();

    glue.load("first", "f32", of(Some(first)), "index", "0.0");
    glue.load_quad("load_first_quad", in_quads(of(Some(first))));
    glue.load_quad("load_second_quad", in_quads(of(second)));
    glue.load_quad("load_upstreams", in_quads(of(Some(&UPSTREAM))));
    glue.load("second", "f32", of(second), "index", "1.0");
    load_optional(&mut glue, views, &CLASS_WEIGHT, "index");
    glue.load("target", "i32", of(labels), ITEM, "0");
    load_optional(&mut glue, views, &WEIGHT, ITEM);
    load_optional(&mut glue, views, &UPSTREAM, if rows.per_class { "index" } else { ITEM });
    is_kept(&mut glue, views, ITEM);
    is_ignored(&mut glue, spec);

    let loss = view(views, "loss_of_item");
    let values = loss.filter(|_| rows.per_class);
    glue.store("loss", "f32", loss.filter(|_| !rows.per_class), ITEM);
    glue.store("value", "f32", values, "index");
    glue.put_quad("store_value_quad", in_quads(values), false);
    glue.store("log_sum_exp", "f32", view(views, "log_sum_exp_of_row"), ITEM);
    glue.store("argmax", "i32", view(views, "argmax_of_row"), ITEM);
    let gradient = gradient_view(views, first.name);
    glue.put_gradients(gradient, call.adds());
    glue.put_quad("put_gradient_quad", in_quads(gradient), call.adds());
    glue
}

/// The tensor, if four elements of it are loaded and stored at once.
fn in_quads(tensor: Option<&TensorView>) -> Option<&TensorView> {
    tensor.filter(|tensor| tensor.quads)
}
