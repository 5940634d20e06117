//! Images side by side.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    let bent = Sliding { stride: [2, 1], dilation: [1, 2], padding: [[1, 0], [0, 2]] };
    vec![
        case("interleave", [normal([4, 3, 2], 1)], |[x]| Ok(x.interleaved(2)?.into_values())),
        case("deinterleave", [normal([2, 3, 2, 2], 1)], |[x]| {
            Interleaved::from_values(x.clone()).deinterleaved()
        }),
        case(
            "conv2d of interleaved images",
            [normal([4, 4, 3, 4], 1), normal([4, 2, 2, 2], 2), normal([4], 3)],
            move |[x, w, b]| x.interleaved(2)?.conv(w, Some(b), 2, bent)?.deinterleaved(),
        ),
        case("conv1d of interleaved images", [normal([2, 2, 5], 1), normal([3, 2, 3], 2)], |[x, w]| {
            x.interleaved(2)?.conv(w, None, 1, Sliding::<1>::default())?.deinterleaved()
        }),
        case("pooling of interleaved images", [normal([8, 1, 5, 4], 1)], |[x]| {
            let y = x.interleaved(8)?.max_pool(Window { stride: [1, 2], ..Window::from([2, 2]) }, [1; 2])?;
            y.avg_pool([2, 2], Divisor::IncludePadding)?.deinterleaved()
        }),
        case("average pooling of interleaved images by squares", [normal([8, 1, 5, 4], 1)], |[x]| {
            x.interleaved(8)?.avg_pool([2, 2], Divisor::IncludePadding)?.deinterleaved()
        }),
    ]
}

#[test]
fn interleaved_images_say_what_they_are() -> Result<()> {
    let x = Var::from(normal([6, 2, 3, 4], 1));
    let beside = x.interleaved(3)?;
    assert_eq!((beside.lanes(), beside.shape()), (3, [6, 2, 3, 4].into()));
    assert_eq!(*beside.values().shape(), [2, 2, 3, 4, 3]);
    assert!(x.interleaved(4).is_err() && Var::from(normal([6], 1)).interleaved(3).is_err());
    let wrong = beside.conv(&Var::from(normal([1, 3, 2, 2], 1)), None, 1, Sliding::<2>::default());
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("[6, 2, 3, 4] has 2 channels"), "of the images one after the other: {said}");
    let volumes = Var::from(normal([6, 1, 2, 2, 2], 1)).interleaved(3)?;
    assert!(
        volumes.avg_pool([2; 3], Divisor::IncludePadding).is_err()
            && volumes.max_pool([2; 3], [1; 3]).is_err()
    );
    Ok(())
}
