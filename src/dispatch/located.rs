//! From names to buffers: where the tensors of a program lie, checked.

use crate::{BufferSlice, Error, Gpu, Named, program::Place};

/// A tensor that a program binds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bindable<'a> {
    pub name: &'a str,
    /// Bytes in a buffer.
    pub size: u64,
    pub is_written: bool,
}

/// Where the tensors of a program lie.
pub(crate) struct Located<'a>(Vec<(Bindable<'a>, BufferSlice<'a>)>);

impl<'a> Located<'a> {
    /// Where each tensor of a loss or operation lies: in the buffer of its name, which must hold it, and written ones
    /// apart from all others.
    pub fn new(
        gpu: &Gpu,
        loss: &'static str,
        tensors: impl Iterator<Item = Bindable<'a>> + Clone,
        buffers: &Named<BufferSlice<'a>>,
    ) -> Result<Self, Error> {
        let known: Vec<String> = tensors.clone().map(|tensor| tensor.name.to_string()).collect();
        buffers.expect_only(loss, &known)?;
        let alignment = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        let mut located = Vec::new();
        for bindable in tensors {
            let tensor = bindable.name.to_string();
            let Some(&slice) = buffers.get(&tensor) else {
                return Err(Error::MissingTensor { loss, tensor });
            };
            let (offset, needed) = (slice.offset, bindable.size);
            let available = slice.buffer.size().saturating_sub(offset);
            if needed > available || offset > slice.buffer.size() {
                return Err(Error::BufferTooSmall { loss, tensor, offset, needed, available });
            }
            if offset % alignment != 0 {
                return Err(Error::BufferAlignment { loss, tensor, offset, alignment });
            }
            let (needed, found) = (wgpu::BufferUsages::STORAGE, slice.buffer.usage());
            if !found.contains(needed) {
                return Err(Error::BufferUsage { loss, tensor, needed, found });
            }
            located.push((bindable, slice));
        }
        let located = Located(located);
        if let Some((output, other)) = located.overlapping() {
            let (output, other) = (output.name.to_string(), other.name.to_string());
            return Err(Error::BufferOverlap { loss, output, other });
        }
        Ok(located)
    }

    pub fn slice(&self, name: &str) -> BufferSlice<'a> {
        match self.0.iter().find(|(tensor, _)| tensor.name == name) {
            Some((_, slice)) => *slice,
            None => unreachable!("a step binds nothing but the tensors of its call, `{name}` is none"),
        }
    }

    /// Whether a buffer goes on to the end of what a step takes of its tensor: a last quad may be longer than that. It
    /// is never in another tensor, which starts at a multiple of the alignment.
    pub fn has_room(&self, place: &Place) -> bool {
        match place {
            Place::Scratch(..) => true,
            Place::Tensor(name, range) => {
                let BufferSlice { buffer, offset } = self.slice(name);
                offset.saturating_add(range.end) <= buffer.size()
            }
        }
    }

    /// Whether one that is only read lies in the same buffer as one that is written.
    pub fn share_buffers(&self) -> bool {
        let (written, read): (Vec<_>, Vec<_>) = self.0.iter().partition(|(tensor, _)| tensor.is_written);
        read.iter().any(|(_, read)| written.iter().any(|(_, written)| read.buffer == written.buffer))
    }

    /// A written tensor that overlaps another one, and that.
    fn overlapping(&self) -> Option<(Bindable<'a>, Bindable<'a>)> {
        let range = |(tensor, slice): &(Bindable<'_>, BufferSlice<'_>)| slice.offset..slice.offset + tensor.size;
        let written = self.0.iter().filter(|(tensor, _)| tensor.is_written);
        written.clone().find_map(|output| {
            let overlaps = |other: &&(Bindable<'_>, BufferSlice<'_>)| {
                let (a, b) = (range(output), range(other));
                other.0.name != output.0.name && other.1.buffer == output.1.buffer && a.start < b.end && b.start < a.end
            };
            self.0.iter().find(overlaps).map(|other| (output.0, other.0))
        })
    }
}
