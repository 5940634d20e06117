//! The profile of a tape: time and bytes of each operation, forward and backward.

use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use retrograd_tensor::{Float, Tensor};

use crate::Tape;

/// What the operations of a tape took, those of one name and one line together, in the order they came first.
/// Its text is a table.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The operations.
    pub rows: Vec<ProfileRow>,
    /// The time of the operation that is recorded next.
    pending: Duration,
}

/// The operations of one name that one line called.
#[derive(Clone, Debug)]
pub struct ProfileRow {
    /// The name.
    pub op: &'static str,
    /// The line.
    pub at: &'static Location<'static>,
    /// How often it was computed.
    pub calls: u64,
    /// The time that the values took.
    pub forward: Duration,
    /// The time that the pullbacks took, with all that they are made of and the sums of cotangents.
    pub backward: Duration,
    /// Bytes of the values; one that shares the elements of its operand has none.
    pub output_bytes: usize,
    /// Bytes that the tape kept for the pullbacks.
    pub saved_bytes: usize,
}

impl Profile {
    fn row(&mut self, op: &'static str, at: &'static Location<'static>) -> &mut ProfileRow {
        let known = self.rows.iter().position(|row| row.op == op && row.at == at);
        let place = known.unwrap_or_else(|| {
            let (forward, backward) = (Duration::ZERO, Duration::ZERO);
            self.rows.push(ProfileRow {
                op,
                at,
                calls: 0,
                forward,
                backward,
                output_bytes: 0,
                saved_bytes: 0,
            });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    pub(crate) fn recorded<T: Float>(
        &mut self,
        op: &'static str,
        at: &'static Location<'static>,
        y: &Tensor<T>,
    ) {
        let forward = std::mem::take(&mut self.pending);
        let row = self.row(op, at);
        row.calls += 1;
        row.forward += forward;
        row.output_bytes += if y.is_unique() { y.held_bytes() } else { 0 };
    }

    pub(crate) fn saved(&mut self, op: &'static str, at: &'static Location<'static>, bytes: usize) {
        self.row(op, at).saved_bytes += bytes;
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.op.len()).max().unwrap_or(0).max("operation".len());
        let line = |f: &mut fmt::Formatter<'_>, cells: [&dyn fmt::Display; 7]| {
            let [op, calls, forward, backward, output, saved, at] = cells;
            writeln!(
                f,
                "{op:width$}  {calls:>7}  {forward:>10}  {backward:>11}  {output:>12}  {saved:>11}  {at}"
            )
        };
        let heads =
            ["operation", "calls", "forward ms", "backward ms", "output bytes", "saved bytes", "line"];
        line(f, heads.each_ref().map(|head| head as &dyn fmt::Display))?;
        let ms = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1e3);
        let (mut calls, mut output, mut saved) = (0, 0, 0);
        let (mut forward, mut backward) = (Duration::ZERO, Duration::ZERO);
        for row in &self.rows {
            let times = [ms(row.forward), ms(row.backward)];
            let [there, back] = &times;
            line(f, [&row.op, &row.calls, there, back, &row.output_bytes, &row.saved_bytes, &row.at])?;
            (calls, output, saved) = (calls + row.calls, output + row.output_bytes, saved + row.saved_bytes);
            (forward, backward) = (forward + row.forward, backward + row.backward);
        }
        line(f, [&"total", &calls, &ms(forward), &ms(backward), &output, &saved, &""])
    }
}

impl<T: Float> Tape<T> {
    /// The tape with a profile, which goes on through every pass until the tape is dropped. Without it,
    /// nothing is measured.
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let tape = Tape::new().profiled();
    /// let x = tape.leaf(Tensor::<f32>::ones([100])?);
    /// x.exp().sum(..)?.backward()?;
    /// let profile = tape.profile();
    /// assert_eq!((profile.rows[0].op, profile.rows[0].output_bytes), ("exp", 400));
    /// println!("{profile}");
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    pub fn profiled(self) -> Self {
        self.nodes_mut().profile.get_or_insert_default();
        self
    }

    /// What was measured so far; nothing on a tape that is not [`profiled`](Self::profiled).
    pub fn profile(&self) -> Profile {
        self.nodes().profile.as_deref().cloned().unwrap_or_default()
    }

    pub(crate) fn is_profiled(&self) -> bool {
        self.nodes().profile.is_some()
    }

    /// Notes what a pullback took that began at `start`.
    pub(crate) fn note_backward(&self, op: &'static str, at: &'static Location<'static>, start: Instant) {
        if let Some(profile) = &mut self.nodes_mut().profile {
            profile.row(op, at).backward += start.elapsed();
        }
    }
}

/// Takes the time of the operation that is recorded next, if its tape has a profile. No closure stands around
/// the work, because the caller's line would be lost in it.
pub(crate) struct Clock<'a, T: Float>(Option<(&'a Tape<T>, Instant)>);

impl<'a, T: Float> Clock<'a, T> {
    #[inline]
    pub(crate) fn start(tape: Option<&'a Tape<T>>) -> Self {
        Self(tape.filter(|tape| tape.is_profiled()).map(|tape| (tape, Instant::now())))
    }

    #[inline]
    pub(crate) fn stop(self) {
        if let Some((tape, start)) = self.0
            && let Some(profile) = &mut tape.nodes_mut().profile
        {
            profile.pending = start.elapsed();
        }
    }
}
