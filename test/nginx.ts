// The configuration of a real nginx that a test runs: everything that it writes lies below one directory.

/** Around a file with its servers, in that directory. */
export function nginxAround(file: string, path: string): string {
  return `daemon off; pid ${path}/nginx.pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path ${path}/t1; proxy_temp_path ${path}/t2; fastcgi_temp_path ${path}/t3;
  uwsgi_temp_path ${path}/t4; scgi_temp_path ${path}/t5;
  include ${path}/${file};
}
`;
}
