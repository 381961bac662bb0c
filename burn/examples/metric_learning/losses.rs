//! The loss of the hardest triplets as wgloss has it, and of Burn's tensor operations.

use burn::tensor::{Bool, Device, Int, Tensor, activation::relu};
use wgloss_burn::{Error, Reduction, TripletBatchHardLoss, TripletBatchHardLossConfig, try_check};

const MARGIN: f32 = 0.5;

/// A loss of embeddings of unit length and their labels.
pub enum Loss {
    Wgloss(TripletBatchHardLoss),
    Operations,
}

impl Loss {
    pub fn wgloss() -> Self {
        Loss::Wgloss(TripletBatchHardLossConfig::new().with_margin(MARGIN).init())
    }

    /// Whose it is.
    pub fn by(&self) -> &'static str {
        match self {
            Loss::Wgloss(_) => "wgloss",
            Loss::Operations => "Burn",
        }
    }

    pub fn of(&self, embeddings: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        match self {
            Loss::Wgloss(triplets) => triplets.forward(embeddings, labels, Reduction::Mean),
            Loss::Operations => hardest_triplets(embeddings, labels),
        }
    }

    /// The percentages of active triplets in the first and the last of the runs on a device since it was asked: those
    /// that wgloss still knows.
    pub fn active(&self, device: &Device) -> Result<Option<[f64; 2]>, Error> {
        if let Loss::Operations = self {
            return Ok(None);
        }
        let runs = try_check(device)?.runs;
        let active = |(_, status): &(_, wgloss_burn::wgloss::Status)| {
            status.mining().map(|mining| 100.0 * mining.active_fraction())
        };
        Ok(runs.first().and_then(active).zip(runs.last().and_then(active)).map(|(first, last)| [first, last]))
    }
}

/// The mean over the anchors of max(0, margin + distance to the farthest positive − distance to the nearest negative).
fn hardest_triplets(embeddings: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let count = embeddings.dims()[0];
    let cosines = embeddings.clone().matmul(embeddings.transpose());
    let distances = (cosines * -2.0 + 2.0).clamp_min(1e-12).sqrt();
    let rows = labels.clone().reshape([count, 1]).expand([count, count]);
    let same: Tensor<2, Bool> = rows.equal(labels.reshape([1, count]).expand([count, count]));
    let itself = Tensor::<2, Bool>::diag_mask([count, count], 0, &same.device()).bool_not();
    let no_positive = same.clone().bool_not().bool_or(itself);
    let farthest = distances.clone().mask_fill(no_positive, 0.0).max_dim(1);
    let nearest = distances.mask_fill(same, f32::MAX).min_dim(1);
    relu(farthest - nearest + MARGIN).mean()
}
