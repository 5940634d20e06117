//! The memory of tensors: shared, copied on write, 64-byte aligned, and recycled.
//!
//! A block is one allocation: a header of 64 bytes with the number of owners, then the elements. The last owner
//! gives it back to a pool that keeps blocks by size class, so that a training step in steady state asks the
//! system for nothing. Memory comes zeroed from the system and is only ever overwritten with plain values, so
//! every byte is initialised at all times; that is what makes [`Storage::unspecified`] safe. A single element
//! needs no block: it is where the storage is.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Element;

/// Bytes of the header, and the alignment of the elements: a cache line, and a vector of AVX-512.
const LINE: usize = 64;

/// A run of elements that several owners may share; writing to a shared one copies it first.
pub(crate) enum Storage<T: Element> {
    Empty,
    One(T),
    Many(Block<T>),
}

impl<T: Element> Storage<T> {
    /// Storage without elements.
    pub(crate) const EMPTY: Self = Self::Empty;

    /// Storage of `len` elements with whatever values the memory held (in debug builds a recognisable one), for
    /// a kernel that writes all of them.
    #[inline]
    pub(crate) fn unspecified(len: usize) -> Self {
        match len {
            0 => Self::Empty,
            1 => Self::One(T::POISON),
            _ => Self::Many(Block::unspecified(len)),
        }
    }

    /// Whether the system grants memory for `len` elements.
    ///
    /// A block of 16 MiB or more is asked for and given back at once, which costs a system call and touches no
    /// memory. Some systems grant more than they have and end the process that uses it, so that 1 TiB and more
    /// is not even asked for: training on a CPU has no use for such a tensor, while a wrong number among
    /// the extents soon makes one.
    #[inline]
    pub(crate) fn has_room(len: usize) -> bool {
        const LARGE: usize = 1 << 24;
        const TOO_LARGE: usize = 1 << 40;
        match len.checked_mul(size_of::<T>()) {
            Some(bytes) if bytes < LARGE => true,
            Some(bytes) if bytes < TOO_LARGE => pool::grants(bytes),
            _ => false,
        }
    }

    /// Storage of `len` copies of `value`.
    pub(crate) fn filled(len: usize, value: T) -> Self {
        let mut storage = Self::unspecified(len);
        storage.make_mut().fill(value);
        storage
    }

    /// A copy of `values`.
    pub(crate) fn copied(values: &[T]) -> Self {
        let mut storage = Self::unspecified(values.len());
        storage.make_mut().copy_from_slice(values);
        storage
    }

    /// The elements, to be written; copied first if they are shared.
    #[inline]
    pub(crate) fn make_mut(&mut self) -> &mut [T] {
        if !self.is_unique() {
            *self = Self::copied(self);
        }
        match self {
            Self::Empty => &mut [],
            Self::One(value) => std::slice::from_mut(value),
            // SAFETY: we are the sole owner, borrowed mutably, and the block holds `len` initialised elements.
            Self::Many(block) => unsafe { std::slice::from_raw_parts_mut(block.first(), block.len()) },
        }
    }

    /// Whether nobody else shares the elements.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        match self {
            Self::Empty | Self::One(_) => true,
            Self::Many(block) => block.is_unique(),
        }
    }
}

impl<T: Element> Deref for Storage<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Empty => &[],
            Self::One(value) => std::slice::from_ref(value),
            // SAFETY: the block is alive as long as `self` and holds `len` initialised elements, which nobody
            // writes while they are shared or borrowed.
            Self::Many(block) => unsafe { std::slice::from_raw_parts(block.first(), block.len()) },
        }
    }
}

impl<T: Element> Clone for Storage<T> {
    #[inline]
    fn clone(&self) -> Self {
        if let Self::Many(block) = self {
            block.add_owner();
        }
        // As a whole, which is how it is moved on: loading what was stored in parts just before takes longer
        // than all the rest.
        // SAFETY: an element is `Copy`, and the owner that a block has gained is this one.
        unsafe { std::ptr::read(self) }
    }
}

/// An owner of a block of elements.
pub(crate) struct Block<T: Element> {
    header: NonNull<Header>,
    elements: PhantomData<T>,
}

#[repr(C, align(64))]
struct Header {
    owners: AtomicUsize,
    /// Elements in use.
    len: usize,
    class: usize,
}

// SAFETY: a `Block` is an atomically counted reference to memory that is written only through a sole owner's
// `&mut`, and `Element`s are themselves `Send` and `Sync`.
unsafe impl<T: Element> Send for Block<T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for Block<T> {}

impl<T: Element> Block<T> {
    fn unspecified(len: usize) -> Self {
        // Half of what can be addressed: the header and the rounding to a class are no more.
        let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes < isize::MAX as usize / 2);
        let bytes = bytes.expect("a tensor's bytes fit the address space");
        let header = pool::take(bytes);
        // SAFETY: the block is exclusively ours, aligned, and at least a header long.
        unsafe {
            (*header.as_ptr()).owners = AtomicUsize::new(1);
            (*header.as_ptr()).len = len;
        }
        let block = Self { header, elements: PhantomData };
        if cfg!(debug_assertions) || !T::ANY_BITS {
            // Through the pointer, because a `&mut [bool]` must not exist while old bytes may be no `bool`s.
            let first = block.first();
            for i in 0..len {
                // SAFETY: the block holds `len` elements after its header and nobody else knows it yet.
                unsafe { first.add(i).write(T::POISON) };
            }
        }
        block
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the block is alive as long as `self`.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    fn len(&self) -> usize {
        self.header().len
    }

    #[inline]
    fn first(&self) -> *mut T {
        // SAFETY: a block is longer than its header.
        unsafe { self.header.as_ptr().cast::<u8>().add(LINE).cast() }
    }

    /// Relaxed, as in `Arc`: a new owner comes from an existing one.
    #[inline]
    fn add_owner(&self) {
        self.header().owners.fetch_add(1, Ordering::Relaxed);
    }

    /// Acquire: what former owners did to the elements happened before a sole owner writes them.
    #[inline]
    fn is_unique(&self) -> bool {
        self.header().owners.load(Ordering::Acquire) == 1
    }
}

impl<T: Element> Drop for Block<T> {
    #[inline]
    fn drop(&mut self) {
        // A sole owner needs no counting: a new one could only come from it. Otherwise release, then acquire:
        // every other owner's use happened before the memory is given back.
        if self.is_unique() || self.header().owners.fetch_sub(1, Ordering::Release) == 1 {
            std::sync::atomic::fence(Ordering::Acquire);
            pool::give_back(self.header);
        }
    }
}

/// What the tensors of this process hold, in bytes (headers and rounding included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// In tensors now.
    pub live: usize,
    /// The most that was in tensors at any one time, or since [`reset_peak`].
    pub peak: usize,
    /// Kept for re-use.
    pub cached: usize,
    /// How often the system was asked for memory since the process began.
    pub system_requests: usize,
}

/// What the tensors of this process hold now.
pub fn memory_use() -> MemoryUse {
    MemoryUse {
        live: pool::LIVE.load(Ordering::Relaxed),
        peak: pool::PEAK.load(Ordering::Relaxed),
        cached: pool::cached(),
        system_requests: pool::REQUESTS.load(Ordering::Relaxed),
    }
}

/// Begins a new measurement of [`MemoryUse::peak`].
pub fn reset_peak() {
    pool::PEAK.store(pool::LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Bounds what is kept for re-use, and gives what is above it back to the system. The default is 1 GiB;
/// 0 keeps nothing.
pub fn set_cache_limit(bytes: usize) {
    pool::LIMIT.store(bytes, Ordering::Relaxed);
    pool::trim(bytes);
}

mod pool {
    use super::*;

    /// Size classes: eight for each power of two, so that at most a ninth of a block is wasted.
    const CLASSES: usize = STEPS * (usize::BITS as usize - SMALLEST.trailing_zeros() as usize);
    /// Size classes for each power of two.
    const STEPS: usize = 8;
    /// Bytes of blocks of which too many would be felt.
    const LARGE: usize = 256 * 1024;
    /// Bytes of the smallest block.
    const SMALLEST: usize = 2 * LINE;

    /// Free blocks of a class, the last given back last, each with the thread that did.
    struct Free(Vec<(Thread, NonNull<Header>)>);
    // SAFETY: a free block belongs to nobody but the list that it is in.
    unsafe impl Send for Free {}

    impl Free {
        /// The last block that this thread gave back: its core's cache has it, and another core would first fetch
        /// what is overwritten. If there is none among the last few, the last of all.
        fn pop(&mut self) -> Option<NonNull<Header>> {
            /// How many are looked at.
            const FEW: usize = 16;
            let last = self.0.len().checked_sub(1)?;
            let this = Thread::this();
            let own = (0..=last).rev().take(FEW).find(|&at| self.0[at].0 == this);
            Some(self.0.remove(own.unwrap_or(last)).1)
        }

        fn push(&mut self, block: NonNull<Header>) {
            self.0.push((Thread::this(), block));
        }
    }

    /// A thread, while it lives.
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct Thread(usize);

    impl Thread {
        #[inline]
        fn this() -> Self {
            thread_local!(static HERE: u8 = const { 0 });
            HERE.with(|here| Self(std::ptr::from_ref(here) as usize))
        }
    }

    static FREE: [Mutex<Free>; CLASSES] = [const { Mutex::new(Free(Vec::new())) }; CLASSES];
    /// Bytes that tensors hold, and all that the system has granted: the rest is cached. Each costs a step of
    /// a small network dearly, so that there are no more of them.
    pub(super) static LIVE: AtomicUsize = AtomicUsize::new(0);
    static GRANTED: AtomicUsize = AtomicUsize::new(0);
    pub(super) static PEAK: AtomicUsize = AtomicUsize::new(0);
    pub(super) static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    pub(super) static LIMIT: AtomicUsize = AtomicUsize::new(1 << 30);

    /// The class of the smallest block that holds a header and `bytes`, and that block's size.
    fn class(bytes: usize) -> (usize, usize) {
        let wanted = (bytes + LINE).max(SMALLEST);
        let octave = wanted.ilog2() as usize;
        let step = octave - STEPS.ilog2() as usize;
        let steps = (wanted - (1 << octave) + (1 << step) - 1) >> step;
        (STEPS * (octave - SMALLEST.ilog2() as usize) + steps, (1 << octave) + (steps << step))
    }

    fn size(class: usize) -> usize {
        let octave = SMALLEST << (class / STEPS);
        octave + class % STEPS * (octave / STEPS)
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, LINE).expect("a tensor's bytes fit the address space")
    }

    /// A block for `bytes` bytes of elements, its class written in its header.
    pub(super) fn take(bytes: usize) -> NonNull<Header> {
        let (class, size) = class(bytes);
        let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
        if live > PEAK.load(Ordering::Relaxed) {
            PEAK.fetch_max(live, Ordering::Relaxed);
        }
        for (class, more) in fitting(class).map(|class| (class, self::size(class) - size)) {
            if let Some(block) = list(class).pop() {
                if more > 0 {
                    LIVE.fetch_add(more, Ordering::Relaxed);
                    PEAK.fetch_max(live + more, Ordering::Relaxed);
                }
                return block;
            }
        }
        REQUESTS.fetch_add(1, Ordering::Relaxed);
        GRANTED.fetch_add(size, Ordering::Relaxed);
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(layout(size)) };
        let Some(block) = NonNull::new(memory.cast::<Header>()) else { handle_alloc_error(layout(size)) };
        // SAFETY: the memory is fresh, aligned, and longer than a header.
        unsafe { block.write(Header { owners: AtomicUsize::new(0), len: 0, class }) };
        block
    }

    /// The classes whose blocks will do: of a large block those of up to twice the size, before the system is asked for
    /// one more.
    fn fitting(class: usize) -> std::ops::Range<usize> {
        class..if size(class) < LARGE { class + 1 } else { CLASSES.min(class + STEPS) }
    }

    /// Whether there is a block for `bytes` bytes of elements.
    pub(super) fn grants(bytes: usize) -> bool {
        let (class, size) = class(bytes);
        let asked = || {
            // Not zeroed, which would touch all of it. A compiler that sees that nothing is written leaves out both
            // calls, and takes the first as granted.
            // SAFETY: the layout is not empty.
            let memory = black_box(unsafe { alloc(layout(size)) });
            if !memory.is_null() {
                // SAFETY: allocated above with this layout.
                unsafe { dealloc(memory, layout(size)) };
            }
            !memory.is_null()
        };
        let kept = fitting(class).any(|class| !list(class).0.is_empty());
        kept || asked() || {
            // What is kept for re-use may be what is missing.
            trim(0);
            asked()
        }
    }

    pub(super) fn give_back(block: NonNull<Header>) {
        // SAFETY: the last owner calls this; the header was written by `take`.
        let class = unsafe { block.as_ref() }.class;
        let size = size(class);
        LIVE.fetch_sub(size, Ordering::Relaxed);
        let limit = LIMIT.load(Ordering::Relaxed);
        if cached() > limit && size <= limit {
            // What was used last is wanted next: other sizes make room, or the cache might stay full of
            // blocks that nobody asks for.
            evict(limit, class);
        }
        if cached() <= limit {
            list(class).push(block);
            return;
        }
        // SAFETY: the last owner calls this, and the block is in no list.
        unsafe { release(block, size) };
    }

    /// Bytes that are kept for re-use. The two counters are read one after the other, and a block that another
    /// thread takes in between is missing in both.
    pub(super) fn cached() -> usize {
        let granted = GRANTED.load(Ordering::Relaxed);
        granted.saturating_sub(LIVE.load(Ordering::Relaxed))
    }

    /// Gives a block back to the system.
    ///
    /// # Safety
    /// It is one of [`take`]'s, of this size, and nobody's any more.
    unsafe fn release(block: NonNull<Header>, size: usize) {
        GRANTED.fetch_sub(size, Ordering::Relaxed);
        // SAFETY: `take` allocated the block with this layout.
        unsafe { dealloc(block.as_ptr().cast(), layout(size)) };
    }

    /// Gives cached blocks, the largest first, back to the system until at most `limit` bytes are cached.
    pub(super) fn trim(limit: usize) {
        evict(limit, CLASSES);
    }

    /// As [`trim`], without touching the blocks of one class.
    fn evict(limit: usize, spared: usize) {
        for class in (0..CLASSES).rev().filter(|&class| class != spared) {
            while cached() > limit {
                let Some(block) = list(class).pop() else { break };
                // SAFETY: a block in the list of a class has its size, and belongs to nobody.
                unsafe { release(block, size(class)) };
            }
        }
    }

    fn list(class: usize) -> std::sync::MutexGuard<'static, Free> {
        // A panic between lock and unlock cannot leave a list half changed.
        FREE[class].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_class_holds_the_bytes_it_is_chosen_for_and_wastes_little() {
            for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 3 << 30]) {
                let (class, chosen) = class(bytes);
                assert_eq!(size(class), chosen);
                assert!(chosen >= bytes + LINE);
                assert!(bytes < 256 || chosen < (bytes + LINE) * 9 / 8 + LINE, "{bytes} in {chosen}");
            }
        }

        #[test]
        fn what_the_system_cannot_address_is_not_granted() {
            assert!(grants(1 << 20));
            assert!(!grants(isize::MAX as usize / 4));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_aligned_to_a_cache_line() {
        for len in [2, 3, 16, 17, 1000, 100_000] {
            assert_eq!(Storage::<f32>::unspecified(len).as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    fn writing_to_shared_elements_copies_them() {
        let mut a = Storage::copied(&[1.0f32, 2.0]);
        let b = a.clone();
        assert!(!a.is_unique());
        a.make_mut()[0] = 9.0;
        assert_eq!((&a[..], &b[..]), (&[9.0, 2.0][..], &[1.0, 2.0][..]));
        assert!(a.is_unique() && b.is_unique());
    }

    #[test]
    fn a_sole_owner_writes_in_place() {
        let mut a = Storage::filled(100, 1i64);
        let before = a.as_ptr();
        a.make_mut()[7] = 2;
        assert_eq!(a.as_ptr(), before);
    }

    #[test]
    fn memory_is_recycled_across_element_types_and_threads() {
        // A size that no other test comes near: one that wants half of it might be given the block.
        let len = 5_123_457;
        let first = Storage::<f64>::filled(len, 1.0).as_ptr() as usize;
        let again =
            std::thread::spawn(move || Storage::<i64>::filled(len, 1).as_ptr() as usize).join().unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn masks_are_valid_in_recycled_memory() {
        drop(Storage::filled(4096, f32::from_bits(0xffff_ffff)));
        let mask = Storage::<bool>::unspecified(4 * 4096);
        assert!(mask.iter().all(|&m| m == bool::POISON));
    }

    #[test]
    fn nothing_is_nothing() {
        let mut empty = Storage::<f32>::unspecified(0);
        assert!(empty.is_empty() && empty.make_mut().is_empty() && empty.clone().is_empty());
    }
}
