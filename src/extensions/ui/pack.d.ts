// The built interface, whose path the bundler gives.

declare module "*.pack" {
  const path: string;
  export default path;
}
