//! Curves in a frame with numbers on its axes.

use retrograd::prelude::Result;

use super::Panel;
use super::canvas::{Canvas, Colour, GREY, INK, LIGHT, mix};

/// Points that are joined, or that stand alone.
pub(crate) struct Curve {
    pub(crate) colour: Colour,
    pub(crate) points: Vec<(f32, f32)>,
    pub(crate) joined: bool,
}

impl Curve {
    pub(crate) fn new(colour: Colour, points: impl IntoIterator<Item = (f32, f32)>) -> Self {
        Self { colour, points: points.into_iter().collect(), joined: true }
    }

    pub(crate) fn dots(colour: Colour, points: impl IntoIterator<Item = (f32, f32)>) -> Self {
        Self { joined: false, ..Self::new(colour, points) }
    }
}

/// A frame with axes, and curves in it.
pub(crate) struct Plot {
    pub(crate) size: (i32, i32),
    pub(crate) x: (f32, f32),
    pub(crate) y: (f32, f32),
    /// What stands under the x axis, and above the y axis.
    pub(crate) names: (&'static str, &'static str),
    /// Where the axes have numbers, and the text for a number.
    pub(crate) ticks: (Vec<f32>, Vec<f32>),
    pub(crate) text: fn(f32) -> String,
    /// Stretches of x that are shaded.
    pub(crate) shaded: Vec<(f32, f32)>,
    pub(crate) curves: Vec<Curve>,
}

impl Plot {
    pub(crate) fn panel(self) -> Panel {
        let (width, height) = self.size;
        Panel::drawing(width, height, move |canvas, x, y| self.draw(canvas, x, y))
    }

    fn draw(&self, canvas: &mut Canvas, left: i32, top: i32) -> Result<()> {
        // Room for numbers and names.
        let room = |name: &str| if name.is_empty() { 4 } else { 24 };
        let (right, bottom) = (left + self.size.0 - 4, top + self.size.1 - 20 - room(self.names.0));
        let (left, top) = (left + 40, top + room(self.names.1));
        let (width, height) = (right - left, bottom - top);
        let across = |x: f32| left + ((x - self.x.0) / (self.x.1 - self.x.0) * width as f32).round() as i32;
        let down = |y: f32| bottom - ((y - self.y.0) / (self.y.1 - self.y.0) * height as f32).round() as i32;

        for &(from, to) in &self.shaded {
            canvas.fill(across(from), top, across(to) - across(from), height, LIGHT)?;
        }
        for &tick in &self.ticks.0 {
            canvas.line(&[(across(tick), top), (across(tick), bottom)], 1, mix(LIGHT, GREY, 0.2))?;
            canvas.text(across(tick), bottom + 13, 13, &(self.text)(tick), GREY)?;
        }
        for &tick in &self.ticks.1 {
            canvas.line(&[(left, down(tick)), (right, down(tick))], 1, mix(LIGHT, GREY, 0.2))?;
            canvas.text_before(left - 7, down(tick), 13, &(self.text)(tick), GREY)?;
        }
        let fine = |&(x, y): &(f32, f32)| {
            let share = |value: f32, (low, high): (f32, f32)| ((value - low) / (high - low)).clamp(0.0, 1.0);
            (left as f32 + share(x, self.x) * width as f32, bottom as f32 - share(y, self.y) * height as f32)
        };
        for curve in &self.curves {
            let points: Vec<_> = curve.points.iter().filter(|(_, y)| y.is_finite()).map(fine).collect();
            match curve.joined {
                true => canvas.curve(&points, 2, curve.colour)?,
                false => canvas.dots(&points, curve.colour)?,
            }
        }
        canvas.frame(left, top, width, height, GREY)?;
        canvas.text(left + width / 2, bottom + 35, 14, self.names.0, INK)?;
        canvas.text_after(left - 34, top - 14, 14, self.names.1, INK)
    }
}
