import { useEffect, useState } from "react";

// A page small enough to look through: it tells you which image it comes from.
export default function Page({ path }) {
  const [image, setImage] = useState();
  const [failed, setFailed] = useState();

  useEffect(() => {
    fetch("/image.json")
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.statusText)))
      .then(setImage, (error) => setFailed(String(error)));
  }, []);

  if (path !== "/") return <h1>There is no page {path}</h1>;
  if (failed) return <p>Which image this is cannot be told: {failed}.</p>;
  if (!image) return <p>Asking …</p>;
  return (
    <>
      <h1>Which image am I?</h1>
      <dl>
        {Object.entries(image).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
