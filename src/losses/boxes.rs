//! Boxes: one box `x1 y1 x2 y2` an item; inputs `prediction` ∂, `target` and optional `weight`, one per box.
//!
//! What the four losses have in common:
//!
//! - Boxes overlap where max(x1) < min(x2) and max(y1) < min(y2); elsewhere the intersection I is 0 and has no
//!   gradient. The union U is both areas less I, and IoU = I/(U + eps).
//! - Where a corner of both boxes has the same coordinate, minima and maxima share the gradient in halves, as in
//!   PyTorch.
//! - A target with x2 < x1 or y2 < y1 is out of range. A prediction may be inverted, as it may become in training: it
//!   overlaps nothing, and its area has the sign of (x2 − x1)·(y2 − y1).
//! - A corner that is NaN or infinite makes the item's loss and gradients NaN.
//! - `eps` is above 0, so that no divisor is 0: boxes without an area, even two that are one point, have finite losses.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Rule, Shape, WEIGHT, shader_file},
};

const INPUTS: &[Input] = &[
    Input::differentiable("prediction", Shape::Boxes, Domain::Real),
    Input::constant("target", Shape::Boxes, Domain::TargetBox),
    WEIGHT,
];

loss! {
    /// Intersection over union.
    ///
    /// `1 − IoU`, with IoU = I/(U + eps).
    ///
    /// Inputs `prediction` ∂ `[N, 4]` or `[N, d…, 4]`, `target` of the same shape, checked: x1 ≤ x2 and y1 ≤ y2,
    /// optional `weight` `[N]` or `[N, d…]`. Source: Rezatofighi et al. 2019, arXiv 1902.09630, as the loss that they
    /// generalise.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Iou, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let prediction = HostTensor::new(&[0.0_f32, 0.0, 2.0, 2.0], [1, 4])?;
    /// let target = HostTensor::new(&[1.0_f32, 0.0, 3.0, 2.0], [1, 4])?;
    /// let result = Iou::default().eval(&gpu, prediction, target, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0 / 3.0, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Iou {
        /// Added to the divisor; above 0. Default 1e-7.
        pub eps: f32 = 1e-7 => Rule::Positive;
    }

    pub static IOU: LossSpec = {
        name: "iou",
        aliases: &["IoULoss", "box_iou_loss"],
        family: Family::Boxes,
        formula: "1 − IoU, IoU = I/(U + eps)",
        notes: "ties share the gradient in halves",
        source: "Rezatofighi et al. 2019, arXiv 1902.09630",
        driver: Driver::Boxes,
        inputs: INPUTS,
        shader: shader_file!("losses/boxes/iou.wgsl"),
        reference: Reference::Boxes(reference::iou),
    };
}

loss! {
    /// Generalised intersection over union, which has a gradient for boxes that do not overlap.
    ///
    /// `1 − IoU + (C − U)/(C + eps)`, where C is the area of the hull, the least box that holds both.
    ///
    /// Inputs `prediction` ∂ `[N, 4]` or `[N, d…, 4]`, `target` of the same shape, checked: x1 ≤ x2 and y1 ≤ y2,
    /// optional `weight` `[N]` or `[N, d…]`. Source: Rezatofighi et al. 2019, arXiv 1902.09630; torchvision
    /// generalized_box_iou_loss.
    ///
    /// ```
    /// # use wgloss::{Giou, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let prediction = HostTensor::new(&[0.0_f32, 0.0, 2.0, 2.0], [1, 4])?;
    /// let target = HostTensor::new(&[1.0_f32, 1.0, 3.0, 3.0], [1, 4])?;
    /// let result = Giou::default().eval(&gpu, prediction, target, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 6.0 / 7.0 + 2.0 / 9.0, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Giou {
        /// Added to both divisors; above 0. Default 1e-7.
        pub eps: f32 = 1e-7 => Rule::Positive;
    }

    pub static GIOU: LossSpec = {
        name: "giou",
        aliases: &["GIoULoss", "generalized_box_iou_loss"],
        family: Family::Boxes,
        formula: "1 − IoU + (C − U)/(C + eps)",
        notes: "C is the area of the hull of both boxes; ties share the gradient in halves",
        source: "Rezatofighi et al. 2019, arXiv 1902.09630; torchvision generalized_box_iou_loss",
        driver: Driver::Boxes,
        inputs: INPUTS,
        shader: shader_file!("losses/boxes/giou.wgsl"),
        reference: Reference::Boxes(reference::giou),
    };
}

loss! {
    /// Distance intersection over union, which draws the centres together.
    ///
    /// `1 − IoU + ρ²/(c² + eps)`, where ρ is the distance of the centres and c the diagonal of the hull.
    ///
    /// Inputs `prediction` ∂ `[N, 4]` or `[N, d…, 4]`, `target` of the same shape, checked: x1 ≤ x2 and y1 ≤ y2,
    /// optional `weight` `[N]` or `[N, d…]`. Source: Zheng et al. 2020, arXiv 1911.08287; torchvision
    /// distance_box_iou_loss.
    ///
    /// ```
    /// # use wgloss::{Diou, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let prediction = HostTensor::new(&[0.0_f32, 0.0, 2.0, 2.0], [1, 4])?;
    /// let target = HostTensor::new(&[1.0_f32, 1.0, 3.0, 3.0], [1, 4])?;
    /// let result = Diou::default().eval(&gpu, prediction, target, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 6.0 / 7.0 + 2.0 / 18.0, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Diou {
        /// Added to both divisors; above 0. Default 1e-7.
        pub eps: f32 = 1e-7 => Rule::Positive;
    }

    pub static DIOU: LossSpec = {
        name: "diou",
        aliases: &["DIoULoss", "distance_box_iou_loss"],
        family: Family::Boxes,
        formula: "1 − IoU + ρ²/(c² + eps)",
        notes: "ρ is the distance of the centres, c the diagonal of the hull; ties share the gradient in halves",
        source: "Zheng et al. 2020, arXiv 1911.08287; torchvision distance_box_iou_loss",
        driver: Driver::Boxes,
        inputs: INPUTS,
        shader: shader_file!("losses/boxes/diou.wgsl"),
        reference: Reference::Boxes(reference::diou),
    };
}

loss! {
    /// Complete intersection over union, which likens the proportions too.
    ///
    /// `1 − IoU + ρ²/(c² + eps) + α·v`, [`Diou`] with v = 4/π²·(atan(w_t/(h_t + eps)) − atan(w_p/(h_p + eps)))² of both
    /// boxes' widths and heights, and α = v/(1 − IoU + v + eps), which is constant in the gradient.
    ///
    /// Inputs `prediction` ∂ `[N, 4]` or `[N, d…, 4]`, `target` of the same shape, checked: x1 ≤ x2 and y1 ≤ y2,
    /// optional `weight` `[N]` or `[N, d…]`. Source: Zheng et al. 2020, arXiv 1911.08287; torchvision
    /// complete_box_iou_loss, which adds its `eps` to the divisor of α alone, and 1e-7 to those of [`Diou`].
    ///
    /// ```
    /// # use wgloss::{Ciou, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // Within the target, at its centre, and as wide as high where the target is not.
    /// let prediction = HostTensor::new(&[-1.0_f32, -1.0, 1.0, 1.0], [1, 4])?;
    /// let target = HostTensor::new(&[-2.0_f32, -1.0, 2.0, 1.0], [1, 4])?;
    /// let result = Ciou::default().eval(&gpu, prediction, target, Reduction::Mean)?;
    /// let v = 4.0 / std::f64::consts::PI.powi(2) * (2_f64.atan() - 1_f64.atan()).powi(2);
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5 + v * v / (0.5 + v), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Ciou {
        /// Added to every divisor; above 0. Default 1e-7.
        pub eps: f32 = 1e-7 => Rule::Positive;
    }

    pub static CIOU: LossSpec = {
        name: "ciou",
        aliases: &["CIoULoss", "complete_box_iou_loss"],
        family: Family::Boxes,
        formula: "diou + α·v, v = 4/π²·(atan(w_t/(h_t + eps)) − atan(w_p/(h_p + eps)))²",
        notes: "α = v/(1 − IoU + v + eps), constant in the gradient; ties share the gradient in halves",
        source: "Zheng et al. 2020, arXiv 1911.08287; torchvision complete_box_iou_loss",
        driver: Driver::Boxes,
        inputs: INPUTS,
        shader: shader_file!("losses/boxes/ciou.wgsl"),
        reference: Reference::Boxes(reference::ciou),
    };
}
