//! The caller's buffers.

use wgloss::{
    Adapter, BoundPlan, BufferSlice, DType, Error, Gpu, Loss, Mse, Named, Plan, Reduction, Tensor, TensorType,
};

use super::{adapters, caller::buffer};

/// Elements of the tensors that are bound, and their bytes: more than any adapter's alignment.
const ELEMENTS: usize = 192;
const BYTES: u64 = 4 * ELEMENTS as u64;

/// Where in one buffer the tensors of a loss lie, with room between them.
const PLACES: [(&str, u64); 4] = [("prediction", 0), ("target", 1024), ("grad.prediction", 2048), ("loss", 3072)];
const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE;

fn plan(gpu: &Gpu) -> Plan {
    let ty = TensorType::new(DType::F32, [ELEMENTS]);
    Plan::new(gpu, &Mse, &Named::new().with("prediction", ty.clone()).with("target", ty), Reduction::Sum).unwrap()
}

/// What binding gives where one of the tensors lies in another place.
fn bound<'a>(
    gpu: &Gpu,
    buffer: &'a wgpu::Buffer,
    tensor: &str,
    place: impl Into<BufferSlice<'a>>,
) -> Result<BoundPlan, Error> {
    let place = place.into();
    let moved = |(name, offset)| if name == tensor { place } else { BufferSlice { buffer, offset } };
    plan(gpu).bind(&PLACES.map(|(name, offset)| (name.to_string(), moved((name, offset)))).into_iter().collect())
}

#[test]
fn every_input_and_output_must_be_bound_and_nothing_else() {
    for gpu in adapters::all() {
        let buffer = buffer(gpu, 4096, STORAGE);
        let places = PLACES.map(|(name, offset)| (name.to_string(), BufferSlice { buffer: &buffer, offset }));
        assert!(plan(gpu).bind(&places.iter().cloned().collect()).is_ok());
        for left_out in &places {
            let others = places.iter().filter(|place| place.0 != left_out.0).cloned().collect();
            let expected = Error::MissingTensor { loss: "mse", tensor: left_out.0.clone() };
            assert_eq!(plan(gpu).bind(&others).unwrap_err(), expected);
        }
        for tensor in ["weight", "grad.target", "loss"] {
            let more = places.iter().cloned().collect::<Named<_>>().with(tensor, (&buffer, 3584));
            let known = ["prediction", "grad.prediction", "target", "loss"].map(str::to_string).to_vec();
            let expected = Error::UnexpectedTensor { loss: "mse", tensor: tensor.to_string(), known };
            assert_eq!(plan(gpu).bind(&more).unwrap_err(), expected);
        }
    }
}

#[test]
fn a_buffer_that_ends_before_the_tensor_is_refused() {
    for gpu in adapters::all() {
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 1024, STORAGE));
        for (tensor, needed) in [("prediction", BYTES), ("target", BYTES), ("grad.prediction", BYTES), ("loss", 4)] {
            assert!(bound(gpu, &own, tensor, (&other, 256)).is_ok());
            let (loss, name) = ("mse", tensor.to_string());
            // The last: beyond the end, by as much as there is.
            for offset in [1024, 2048, u64::MAX] {
                let found = bound(gpu, &own, tensor, (&other, offset)).unwrap_err();
                let tensor = name.clone();
                assert_eq!(found, Error::BufferTooSmall { loss, tensor, offset, needed, available: 0 });
            }
            if needed > 4 {
                let found = bound(gpu, &own, tensor, (&other, 512)).unwrap_err();
                assert_eq!(found, Error::BufferTooSmall { loss, tensor: name, offset: 512, needed, available: 512 });
            }
        }
    }
}

#[test]
fn an_offset_that_is_not_aligned_is_refused() {
    for gpu in adapters::all() {
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 2048, STORAGE));
        let alignment = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        for (tensor, _) in PLACES {
            for offset in [2, 4, alignment / 2, alignment + 4] {
                let expected = Error::BufferAlignment { loss: "mse", tensor: tensor.to_string(), offset, alignment };
                assert_eq!(bound(gpu, &own, tensor, (&other, offset)).unwrap_err(), expected);
            }
        }
    }
}

#[test]
fn a_buffer_that_is_no_storage_is_refused() {
    for gpu in adapters::all() {
        let found = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 1024, found));
        for (tensor, _) in PLACES {
            let expected = Error::BufferUsage { loss: "mse", tensor: tensor.to_string(), needed: STORAGE, found };
            assert_eq!(bound(gpu, &own, tensor, &other).unwrap_err(), expected);
        }
    }
}

#[test]
fn an_output_that_overlaps_anything_is_refused() {
    for gpu in adapters::all() {
        let own = buffer(gpu, 4096, STORAGE);
        let overlap = |output: &str, other: &str| {
            let (output, other) = (output.to_string(), other.to_string());
            Err(Error::BufferOverlap { loss: "mse", output, other })
        };
        let bound = |tensor, offset| bound(gpu, &own, tensor, (&own, offset)).map(drop);
        assert_eq!(bound("grad.prediction", 0), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("grad.prediction", 512), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("grad.prediction", 1536), overlap("grad.prediction", "target"));
        assert_eq!(bound("grad.prediction", 2560), overlap("grad.prediction", "loss"));
        assert_eq!(bound("prediction", 2560), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("loss", 512), overlap("loss", "prediction"));
        assert_eq!(bound("loss", 2048 + 512), overlap("grad.prediction", "loss"));
        // Side by side is no overlap, and inputs may be the same.
        assert_eq!(bound("loss", 2048 + BYTES), Ok(()));
        assert_eq!(bound("grad.prediction", 1024 + BYTES), Ok(()));
        assert_eq!(bound("target", 0), Ok(()));
        assert_eq!(bound("target", 512), Ok(()));
    }
}

#[test]
fn a_tensor_of_another_device_is_refused() {
    for gpu in adapters::all() {
        let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
        let twins = [adapter.open_blocking().unwrap(), adapter.open_blocking().unwrap()];
        // Devices of one instance of wgpu, and of two.
        for (own, other) in [(&twins[0], &twins[1]), (&twins[0], gpu), (gpu, &twins[0])] {
            let (ours, theirs) =
                (Tensor::from_host(own, &[1.0_f32]).unwrap(), Tensor::from_host(other, &[2.0_f32]).unwrap());
            let refused = |tensor: &str| Err(Error::OtherDevice { loss: "mse", tensor: tensor.to_string() });
            assert_eq!(Mse.run(own, &theirs, &ours, Reduction::Sum).map(drop), refused("prediction"));
            assert_eq!(Mse.run(own, &ours, &theirs, Reduction::Sum).map(drop), refused("target"));
            // The same device with another layout of its kernels.
            let same = own.with_tuning(own.tuning()).unwrap();
            assert_eq!(Mse.run(&same, &ours, &ours, Reduction::Sum).map(drop), Ok(()));
        }
        let (own, foreign) = (buffer(&twins[0], 4096, STORAGE), buffer(&twins[1], 1024, STORAGE));
        let found = bound(&twins[0], &own, "target", &foreign).unwrap_err();
        assert!(matches!(found, Error::Refused { .. }), "{found:?}");
    }
}

#[test]
fn a_tensor_that_the_plan_was_not_made_for_is_refused() {
    for gpu in adapters::all() {
        let bind = |target: Tensor| {
            let prediction = Tensor::zeros(gpu, TensorType::new(DType::F32, [ELEMENTS])).unwrap();
            let inputs = Named::new().with("prediction", prediction).with("target", target);
            plan(gpu).bind_tensors(&inputs).unwrap_err()
        };
        for shape in [vec![ELEMENTS - 1], vec![1, ELEMENTS]] {
            let target = Tensor::zeros(gpu, TensorType::new(DType::F32, shape.clone())).unwrap();
            let (tensor, expected) = ("target", format!("[{ELEMENTS}]"));
            assert_eq!(bind(target), Error::Shape { loss: "mse", tensor, expected, found: shape });
        }
        let target = Tensor::zeros(gpu, TensorType::new(DType::BF16, [ELEMENTS])).unwrap();
        let (tensor, expected) = ("mse: `target`".to_string(), "f32".to_string());
        assert_eq!(bind(target), Error::DType { tensor, expected, found: DType::BF16 });
    }
}

#[test]
fn what_the_device_refuses_is_an_error_and_spoils_nothing() {
    for gpu in adapters::all() {
        let tensor =
            |buffer: &wgpu::Buffer| Tensor::from_buffer(gpu, buffer.clone(), 0, TensorType::new(DType::F32, [4]));
        let bare = tensor(&buffer(gpu, 16, STORAGE));
        assert!(matches!(bare.write(&[0.0_f32; 4]), Err(Error::Refused { .. })));
        assert!(matches!(bare.read_blocking(), Err(Error::Refused { .. })));
        let destroyed = buffer(gpu, 16, STORAGE);
        destroyed.destroy();
        let found = Mse.run(gpu, &bare, &tensor(&destroyed), Reduction::Sum);
        assert!(matches!(found, Err(Error::Refused { .. })), "{found:?}");
        assert_eq!(Mse.eval(gpu, &[3.0_f32], &[1.0_f32], Reduction::Sum).unwrap().loss.item(), 4.0);
    }
}
