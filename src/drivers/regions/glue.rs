//! Functions that load and store the tensors of regions.

use super::super::{Call, gradient_view, input_view, is_ignored, is_kept, load_optional, view};
use crate::{
    kernel::{Glue, TensorView},
    spec::{CLASS_WEIGHT, UPSTREAM},
};

/// What `shaders/drivers/regions/interface_of_pixels.wgsl` lists, of targets as class indices or as values.
pub(super) fn of_pixels(call: &Call<'_>, is_index: bool, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let (first, target) = (&spec.inputs[0], input_view(views, spec.inputs[1].name));
    let mut glue = Glue::default();
    load_optional(&mut glue, views, &CLASS_WEIGHT, "index");
    glue.load("first", "f32", input_view(views, first.name), "index", "0.0");
    glue.load("target", "i32", target.filter(|_| is_index), "index", "0");
    glue.load("second", "f32", target.filter(|_| !is_index), "index", "1.0");
    is_kept(&mut glue, views, "index");
    is_ignored(&mut glue, spec);
    glue.put_gradients(gradient_view(views, first.name), call.adds());
    glue
}

/// What `shaders/drivers/regions/interface_of_scores.wgsl` lists.
pub(super) fn of_scores(views: &[TensorView]) -> Glue {
    let mut glue = Glue::default();
    load_optional(&mut glue, views, &CLASS_WEIGHT, "index");
    load_optional(&mut glue, views, &UPSTREAM, "index");
    glue.store("loss", "f32", view(views, "loss_of_item"), "index");
    glue
}
